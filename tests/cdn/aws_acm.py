"""AWS Certificate Manager: JSON 1.1 over POST /, the operation in x-amz-target.

Rules without a word on where they are from are the service model's or those of ACM's user guide:
"Prerequisites for importing certificates", "Reimporting a certificate", "Certificate import problems".
"""
import base64
import binascii
import json
import re
import secrets
import uuid

import aws_certificate
import aws_model
import aws_signature
from double import Answer, Refusal

ACCOUNT = '123456789012'
TARGET = 'CertificateManager.'
JSON = 'application/x-amz-json-1.1'

CODES = {
    'missing': ('MissingAuthenticationTokenException', 400),
    'incomplete': ('IncompleteSignatureException', 400),
    'unknown': ('UnrecognizedClientException', 400),
    'mismatch': ('InvalidSignatureException', 400),
}

# "Default filtering returns only RSA_1024 and RSA_2048 certificates".
LISTED_BY_DEFAULT = ['RSA_1024', 'RSA_2048']


class Acm:
    def __init__(self, settings, clock):
        self.settings = settings
        self.clock = clock
        self.region = settings.get('region', 'us-east-1')
        self.model = aws_model.service_model('acm', '2015-12-08')
        self.certificates = {arn: kept_from(arn, given, clock())
                             for arn, given in settings['state'].get('certificates', {}).items()}
        self.deleted = {}
        self.pages = {}
        self.users_of = lambda arn: []

    def state(self):
        return {arn: one.state() for arn, one in self.certificates.items()}

    def operation(self, request):
        name = request.headers.get('x-amz-target', '').removeprefix(TARGET)
        is_one = request.headers.get('x-amz-target') == TARGET + name and name in OPERATIONS
        return name if is_one and request.method == 'POST' else None

    def check(self, request):
        aws_signature.check(request, self.settings, 'acm', self.region, CODES, self.clock())

    def handle(self, request):
        name = self.operation(request)
        if name is None or request.query or request.headers.get('content-type') != JSON:
            raise Refusal('UnknownOperationException', 'No such operation.')
        given = self.content(request.body, self.model.operation_model(name).input_shape)
        result = OPERATIONS[name](self, given)
        # An operation without an output has an empty body.
        body = b'' if result is None else json.dumps(result).encode()
        return Answer(200, self.headers(), body)

    def failure(self, request, refusal):
        shape = refusal.code in self.model.shape_names and self.model.shape_for(refusal.code)
        member = next(iter(shape.members), 'message') if shape else 'message'
        body = json.dumps({'__type': refusal.code, member: refusal.message}).encode()
        return Answer(refusal.status or 400, self.headers(), body)

    @staticmethod
    def headers():
        return {'x-amzn-RequestId': str(uuid.uuid4()), 'Content-Type': JSON}

    @staticmethod
    def content(body, shape):
        try:
            given = json.loads(body)
            for name, part in given.items():
                if name in shape.members and shape.members[name].type_name == 'blob':
                    given[name] = base64.b64decode(part, validate=True)
            aws_model.check(given, shape)
            return given
        except aws_model.Invalid as error:
            code = 'SerializationException' if error.is_of_form else 'ValidationException'
            raise Refusal(code, str(error)) from error
        except (ValueError, AttributeError, TypeError, binascii.Error) as error:
            raise Refusal('SerializationException', f'{type(error).__name__}: {error}') from error

    def import_certificate(self, given):
        leaf, chain, key = self.material(given)
        arn = given.get('CertificateArn')
        if arn is None:
            arn = f'arn:aws:acm:{self.region}:{ACCOUNT}:certificate/{uuid.uuid4()}'
            former = Certificate(arn, self.clock())
            former.lag = self.settings.get('import_lag', 0)
            former.add_tags(given.get('Tags', []))
        else:
            former = self.find(arn)
            if 'Tags' in given:
                raise invalid('Tagging is not permitted on re-import.')
            check_replacement(former.leaf, leaf)
        former.take(leaf, chain, aws_certificate.key_sha256(key), self.clock())
        self.certificates[arn] = former
        return {'CertificateArn': arn}

    def material(self, given):
        leaf = self.leaf(given['Certificate'])
        try:
            key = aws_certificate.private_key(given['PrivateKey'])
        except TypeError as error:
            raise invalid('The private key is encrypted.') from error
        except ValueError as error:
            raise invalid('The private key is not valid.') from error
        if not aws_certificate.is_pair(leaf, key):
            raise invalid('The private key does not belong to the certificate.')
        return leaf, self.chain(given.get('CertificateChain'), leaf), key

    def leaf(self, blob):
        found = self.certificates_in(blob, 'CertificateBody', 'certificate')
        if len(found) != 1:
            raise invalid('The certificate field contains more than one certificate. You can specify only '
                          'one certificate in this field.')
        leaf = found[0]
        if leaf.version.name != 'v3':
            raise invalid('The certificate is not an X.509 version 3 certificate.')
        if aws_certificate.key_algorithm(leaf) is None:
            raise invalid('The key algorithm or length is not supported.')
        if not aws_certificate.names(leaf):
            raise invalid('The certificate has no domain name.')
        if not list(leaf.issuer):
            raise invalid('The issuer of the certificate is empty.')
        if any(len(url) > 1000 for url in aws_certificate.ocsp_urls(leaf)):
            raise invalid('The OCSP authority URL is longer than 1000 characters.')
        if not aws_certificate.not_before(leaf) <= self.clock() <= aws_certificate.not_after(leaf):
            raise invalid('The certificate is not valid now.')
        return leaf

    def chain(self, blob, leaf):
        if blob is None:
            if not aws_certificate.is_issued_by(leaf, leaf):
                raise invalid('Provided certificate is not a valid self signed. Please provide either a '
                              'valid self-signed certificate or certificate chain.')
            return []
        chain = self.certificates_in(blob, 'CertificateChain', 'certificateChain')
        if not aws_certificate.is_authority(chain[0]) or not aws_certificate.is_issued_by(leaf, chain[0]):
            raise invalid('Could not validate the certificate with the certificate chain.')
        for place, (one, issuer) in enumerate(zip(chain, chain[1:]), 1):
            if not aws_certificate.is_authority(issuer) or not aws_certificate.is_issued_by(one, issuer):
                raise invalid('Unable to validate certificate chain. The certificate chain must start with '
                              'the immediate signing certificate, followed by any intermediaries in order. '
                              f'The index within the chain of the invalid certificate is: {place}')
        # "If the signing CA key type is RSA, then the certificate key type must also be RSA."
        if family(leaf) != family(chain[0]):
            raise invalid('The algorithm of the certificate does not match the algorithm of the signing CA.')
        return chain

    def certificates_in(self, blob, shape, field):
        """As GetCertificate gives them: "You must not add lines or spaces"."""
        text = blob.decode(errors='replace')
        pattern = self.model.shape_for(shape).metadata['pattern']
        several = self.model.shape_for('CertificateChain').metadata['pattern']
        if not re.fullmatch(pattern, text) and not re.fullmatch(several, text):
            raise invalid(f'The {field} is not PEM-encoded.')
        try:
            return aws_certificate.certificates_in(text)
        except ValueError as error:
            raise invalid(f'The {field} is not valid.') from error

    def find(self, arn):
        if not re.fullmatch(r'arn:[\w-]+:acm:[\w-]+:[0-9]+:certificate/[\w-]+', arn):
            raise Refusal('InvalidArnException', f'{arn} is not the ARN of a certificate.')
        if arn not in self.certificates or arn.split(':')[3] != self.region:
            raise Refusal('ResourceNotFoundException', f'Could not find certificate {arn}.')
        return self.certificates[arn]

    def describe_certificate(self, given):
        found = self.find(given['CertificateArn'])
        return {'Certificate': {**found.details(self.clock()), 'InUseBy': self.users_of(found.arn)}}

    def get_certificate(self, given):
        arn = given['CertificateArn']
        found = self.still_read([arn]).get(arn) or self.find(arn)
        answer = {'Certificate': aws_certificate.pem_of([found.leaf])}
        if found.chain:
            answer['CertificateChain'] = aws_certificate.pem_of(found.chain)
        return answer

    def list_certificates(self, given):
        if ('SortBy' in given) != ('SortOrder' in given):
            raise invalid('SortBy and SortOrder are given together.')
        limit = min(given.get('MaxItems', 1000), self.settings.get('page', 1000))
        wanted = {name: part for name, part in given.items() if name not in ('NextToken', 'MaxItems')}
        if 'NextToken' in given:
            # A token goes on with the list that it is of.
            asked, rest = self.pages.get(given['NextToken'], (None, []))
            if asked != wanted:
                raise Refusal('InvalidArgsException', 'The NextToken is not valid.')
        else:
            rest = self.chosen(wanted)
        answer = {'CertificateSummaryList': rest[:limit]}
        if rest[limit:]:
            answer['NextToken'] = secrets.token_urlsafe(32)
            self.pages[answer['NextToken']] = (wanted, rest[limit:])
        return answer

    def chosen(self, given):
        every = {arn: one for arn, one in self.certificates.items() if arn.split(':')[3] == self.region}
        every.update(self.still_read(list(self.deleted)))
        chosen = [one for one in every.values() if self.is_wanted(one, given)]
        chosen.sort(key=lambda one: one.created, reverse=given.get('SortOrder') == 'DESCENDING')
        return [one.summary(self.clock(), bool(self.users_of(one.arn))) for one in chosen]

    def is_wanted(self, certificate, given):
        details = certificate.details(self.clock())
        filters = given.get('Includes', {})
        usages = {one['Name'] for one in details['KeyUsages']}
        purposes = {one['Name'] for one in details['ExtendedKeyUsages']}
        return (certificate.key_algorithm in filters.get('keyTypes', LISTED_BY_DEFAULT)
                and details['Status'] in given.get('CertificateStatuses', [details['Status']])
                and usages.issuperset(filters.get('keyUsage', []))
                and purposes.issuperset(filters.get('extendedKeyUsage', []))
                and 'managedBy' not in filters and filters.get('exportOption') != 'ENABLED')

    def list_tags_for_certificate(self, given):
        return {'Tags': self.find(given['CertificateArn']).tags}

    def add_tags_to_certificate(self, given):
        self.find(given['CertificateArn']).add_tags(given['Tags'])

    def delete_certificate(self, given):
        arn = given['CertificateArn']
        found = self.find(arn)
        if self.users_of(arn):
            account = arn.split(':')[4]
            raise Refusal('ResourceInUseException', f'Certificate {arn} in account {account} is in use.')
        del self.certificates[arn]
        self.deleted[arn] = [found, self.settings['polls']]

    def still_read(self, arns):
        """Deleting is eventually consistent: ListCertificates and GetCertificate have one for a while yet."""
        read = {}
        for arn in arns:
            found, times = self.deleted.get(arn, (None, 0))
            if times != 0:
                self.deleted[arn][1] -= 1
                read[arn] = found
        return read


OPERATIONS = {
    'AddTagsToCertificate': Acm.add_tags_to_certificate,
    'DeleteCertificate': Acm.delete_certificate,
    'DescribeCertificate': Acm.describe_certificate,
    'GetCertificate': Acm.get_certificate,
    'ImportCertificate': Acm.import_certificate,
    'ListCertificates': Acm.list_certificates,
    'ListTagsForCertificate': Acm.list_tags_for_certificate,
}


class Certificate:
    """One as ACM keeps it. `lag` is how often CloudFront does not know it yet."""

    def __init__(self, arn, now):
        self.arn = arn
        self.created = now
        self.tags = []
        self.imports = 0
        self.lag = 0

    def take(self, leaf, chain, key_sha256, now):
        self.leaf = leaf
        self.chain = chain
        self.key_sha256 = key_sha256
        self.imported = now
        self.imports += 1

    def add_tags(self, tags):
        """A tag that is there has its value changed."""
        given = {tag['Key']: tag for tag in tags}
        if len(given) != len(tags):
            raise Refusal('InvalidTagException', 'A tag key is given twice.')
        if any(key.lower().startswith('aws:') for key in given):
            raise Refusal('InvalidTagException', 'A tag key begins with aws:.')
        merged = {**{tag['Key']: tag for tag in self.tags}, **given}
        if len(merged) > 50:
            raise Refusal('TooManyTagsException', 'A certificate has at most 50 tags.')
        self.tags = list(merged.values())

    @property
    def key_algorithm(self):
        return aws_certificate.key_algorithm(self.leaf)

    def state(self):
        return {
            'certificate': aws_certificate.pem_of([self.leaf]),
            'chain': aws_certificate.pem_of(self.chain),
            'sha256': aws_certificate.sha256(self.leaf),
            'key_sha256': self.key_sha256,
            'key_algorithm': self.key_algorithm,
            'serial': aws_certificate.serial(self.leaf),
            'tags': self.tags,
            'imported': self.imports,
        }

    def details(self, now):
        names = aws_certificate.names(self.leaf)
        not_before, not_after = aws_certificate.not_before(self.leaf), aws_certificate.not_after(self.leaf)
        return {
            'CertificateArn': self.arn, 'DomainName': names[0], 'SubjectAlternativeNames': names,
            'Serial': aws_certificate.serial(self.leaf), 'Subject': self.leaf.subject.rfc4514_string(),
            'Issuer': aws_certificate.issuer(self.leaf), 'CreatedAt': self.created,
            'ImportedAt': self.imported, 'Status': 'EXPIRED' if now > not_after else 'ISSUED',
            'NotBefore': not_before, 'NotAfter': not_after,
            # "RSA-2048" is what the examples of the AWS CLI show; the model's name for it is RSA_2048.
            'KeyAlgorithm': self.key_algorithm.replace('RSA_', 'RSA-'),
            'SignatureAlgorithm': aws_certificate.signature_algorithm(self.leaf), 'Type': 'IMPORTED',
            'KeyUsages': [{'Name': name} for name in aws_certificate.key_usages(self.leaf)],
            'ExtendedKeyUsages': [{'Name': aws_certificate.PURPOSES.get(oid, 'CUSTOM'), 'OID': oid}
                                  for oid in aws_certificate.purposes(self.leaf)],
            'RenewalEligibility': 'INELIGIBLE',
            'Options': {'CertificateTransparencyLoggingPreference': 'DISABLED'},
        }

    def summary(self, now, is_used):
        details = self.details(now)
        shared = ('CertificateArn', 'DomainName', 'Status', 'Type', 'KeyAlgorithm', 'RenewalEligibility',
                  'NotBefore', 'NotAfter', 'CreatedAt', 'ImportedAt')
        names = details['SubjectAlternativeNames']
        return {
            **{name: details[name] for name in shared},
            'InUse': is_used,
            'SubjectAlternativeNameSummaries': names[:100],
            'HasAdditionalSubjectAlternativeNames': len(names) > 100,
            'KeyUsages': [one['Name'] for one in details['KeyUsages']],
            'ExtendedKeyUsages': [one['Name'] for one in details['ExtendedKeyUsages']],
        }


def kept_from(arn, given, now):
    """One that double.json has; what it does not say is worked out."""
    kept = Certificate(arn, now)
    leaf, = aws_certificate.certificates_in(given['certificate'])
    kept.take(leaf, aws_certificate.certificates_in(given.get('chain') or ''), given.get('key_sha256'), now)
    kept.tags = given.get('tags', [])
    kept.imports = given.get('imported', 1)
    return kept


def check_replacement(old, new):
    if aws_certificate.key_algorithm(new) != aws_certificate.key_algorithm(old):
        raise invalid('The key type and size of a certificate cannot be changed.')
    lost = set(aws_certificate.key_usages(old)) - set(aws_certificate.key_usages(new))
    if family(old) == 'EC':
        lost.discard('KEY_ENCIPHERMENT')
    if lost:
        raise invalid(f'Key usages cannot be removed: {", ".join(sorted(lost))}.')
    lost = set(aws_certificate.purposes(old)) - set(aws_certificate.purposes(new))
    if lost - {aws_certificate.CLIENT_AUTHENTICATION}:
        raise invalid(f'Extended key usages cannot be removed: {", ".join(sorted(lost))}.')


def family(certificate):
    return (aws_certificate.key_algorithm(certificate) or '').partition('_')[0]


def invalid(message):
    return Refusal('ValidationException', message)
