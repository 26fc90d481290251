"""Amazon CloudFront: REST and XML under /2020-05-31/.

A configuration is kept as the text that came, for whether a client keeps what it does not know is what
tests look at. What the service model knows of it must be valid.
"""
import re
import secrets
import time
import urllib.parse
import uuid
import xml.etree.ElementTree as ET
from xml.sax.saxutils import escape

import aws_certificate
import aws_model
import aws_signature
from aws_acm import ACCOUNT
from double import Answer, Refusal

VERSION = '2020-05-31'
NAMESPACE = f'http://cloudfront.amazonaws.com/doc/{VERSION}/'
DECLARATION = '<?xml version="1.0"?>\n'

CODES = {
    'missing': ('MissingAuthenticationToken', 403),
    'incomplete': ('IncompleteSignature', 400),
    'unknown': ('InvalidClientTokenId', 403),
    'mismatch': ('SignatureDoesNotMatch', 403),
}

# ACM's user guide, "Prerequisites for importing certificates".
KEY_ALGORITHMS = ('RSA_1024', 'RSA_2048', 'RSA_3072', 'EC_prime256v1')

NOT_FOUND = ("The specified SSL certificate doesn't exist, isn't in us-east-1 region, isn't valid, or "
             "doesn't include a valid certificate chain.")
REQUIREMENTS = ('For more details, see: https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/'
                'CNAMEs.html#alternate-domain-names-requirements')

NONE = '<Quantity>0</Quantity>'

# What a summary has of a configuration, and what where the configuration has it not.
SUMMARISED = {
    'Aliases': NONE,
    'Origins': NONE,
    'OriginGroups': NONE,
    'DefaultCacheBehavior': '',
    'CacheBehaviors': NONE,
    'CustomErrorResponses': NONE,
    'Comment': '',
    'PriceClass': 'PriceClass_All',
    'Enabled': 'false',
    'ViewerCertificate': '<CloudFrontDefaultCertificate>true</CloudFrontDefaultCertificate>',
    'Restrictions': f'<GeoRestriction><RestrictionType>none</RestrictionType>{NONE}</GeoRestriction>',
    'WebACLId': '',
    'HttpVersion': 'http2',
    'IsIPV6Enabled': 'false',
    'Staging': 'false',
}

ET.register_namespace('', NAMESPACE)


class CloudFront:
    def __init__(self, settings, clock, acm):
        self.settings = settings
        self.clock = clock
        self.acm = acm
        self.model = aws_model.service_model('cloudfront', VERSION)
        self.shape = self.model.shape_for('DistributionConfig')
        self.distributions = {}
        for name, given in settings['state'].get('distributions', {}).items():
            found = self.valid(given['config'].encode())
            self.distributions[name] = Distribution(name, given, found, settings['polls'], clock())

    def state(self):
        return {name: one.state() for name, one in self.distributions.items()}

    def users_of(self, arn):
        return [one.arn for one in self.distributions.values() if arn in one.certificates()]

    def operation(self, request):
        return self.route(request)[0]

    def check(self, request):
        aws_signature.check(request, self.settings, 'cloudfront', 'us-east-1', CODES, self.clock())

    def handle(self, request):
        name, parts = self.route(request)
        if name is None:
            raise Refusal('UnknownOperationException', 'No such operation.', 404)
        if name == 'ListDistributions':
            return self.list_distributions(request)
        if request.query:
            raise Refusal('InvalidArgument', 'This operation has no parameters in its query.')
        found = self.distributions.get(urllib.parse.unquote(parts[0]))
        if found is None:
            raise Refusal('NoSuchDistribution', 'The specified distribution does not exist.')
        return ROUTES[name][2](self, found, request)

    def failure(self, request, refusal):
        status = refusal.status or self.modelled_status(refusal.code)
        side = 'Sender' if status < 500 else 'Receiver'
        number = str(uuid.uuid4())
        text = (f'<ErrorResponse xmlns="{NAMESPACE}"><Error><Type>{side}</Type>'
                f'<Code>{escape(refusal.code)}</Code><Message>{escape(refusal.message)}</Message></Error>'
                f'<RequestId>{number}</RequestId></ErrorResponse>')
        return self.answer(text, status=status, number=number)

    def modelled_status(self, code):
        known = code in self.model.shape_names and self.model.shape_for(code).metadata.get('error', {})
        return known.get('httpStatusCode', 400) if known else 400

    @staticmethod
    def route(request):
        for name, (method, path, _) in ROUTES.items():
            parts = re.fullmatch(path, request.path)
            if parts and request.method == method:
                return name, parts.groups()
        return None, ()

    @staticmethod
    def answer(text, status=200, etag=None, number=None):
        headers = {'x-amzn-RequestId': number or str(uuid.uuid4()), 'Content-Type': 'text/xml'}
        if etag:
            headers['ETag'] = etag
        return Answer(status, headers, (DECLARATION + text).encode())

    def get_distribution_config(self, found, request):
        return self.answer(found.served(), etag=found.etag)

    def get_distribution(self, found, request):
        found.poll()
        return self.answer(found.document(), etag=found.etag)

    def list_distributions(self, request):
        given = dict(aws_signature.decoded(request.query))
        if set(given) - {'Marker', 'MaxItems'}:
            raise Refusal('InvalidArgument', 'ListDistributions has Marker and MaxItems only.')
        limit = given.get('MaxItems', '100')
        if not re.fullmatch('[1-9][0-9]{0,8}', limit):
            raise Refusal('InvalidArgument', 'MaxItems is no number.')
        names = list(self.distributions)
        marker = given.get('Marker', '')
        if marker and marker not in names:
            raise Refusal('InvalidArgument', 'The Marker is not valid.')
        rest = names[names.index(marker) + 1:] if marker else names
        page = rest[:min(int(limit), 100, self.settings.get('page', 100))]
        more = len(page) < len(rest)
        text = (f'<DistributionList xmlns="{NAMESPACE}"><Marker>{escape(marker)}</Marker>'
                + (f'<NextMarker>{page[-1]}</NextMarker>' if more else '')
                + f'<MaxItems>{limit}</MaxItems><IsTruncated>{str(more).lower()}</IsTruncated>'
                f'<Quantity>{len(page)}</Quantity>')
        if page:
            text += '<Items>' + ''.join(self.distributions[name].summary() for name in page) + '</Items>'
        return self.answer(text + '</DistributionList>')

    def update_distribution(self, found, request):
        if 'if-match' not in request.headers:
            raise Refusal('InvalidIfMatchVersion',
                          'The If-Match version is missing or not valid for the resource.')
        if not request.body:
            raise Refusal('MissingBody', 'This operation requires a body.')
        if request.headers.get('content-type', 'application/xml') not in ('application/xml', 'text/xml'):
            raise Refusal('MalformedXML', 'The body is not said to be XML.')
        new = self.valid(request.body)
        if request.headers['if-match'] != found.etag:
            raise Refusal('PreconditionFailed', "The request failed because it didn't meet the preconditions "
                                                'in one or more request-header fields.')
        if new['CallerReference'] != found.parsed['CallerReference']:
            raise Refusal('IllegalUpdate', 'You cannot update the value of CallerReference.')
        self.check_aliases(found, new)
        self.check_viewer_certificate(found, new)
        found.update(request.body.decode(), new, self.settings['polls'], self.clock())
        return self.answer(found.document(), etag=found.etag)

    def valid(self, body):
        """What the model knows of a configuration."""
        try:
            if b'<!DOCTYPE' in body:
                raise ValueError('a document type')
            body.decode()
            root = ET.fromstring(body)
            if root.tag != f'{{{NAMESPACE}}}DistributionConfig':
                raise ValueError(f'not a DistributionConfig of {NAMESPACE}')
            found = aws_model.from_xml(root, self.shape)
            aws_model.check(found, self.shape, 'distributionConfig')
        except aws_model.EmptyList as error:
            raise Refusal('MalformedInput', str(error)) from error
        except (ValueError, ET.ParseError, aws_model.Invalid) as error:
            # The code for a value that is not in an enumeration: aws-cli 6275.
            raise Refusal('MalformedXML', str(error)) from error
        check_quantities(found)
        return found

    def check_aliases(self, found, new):
        for other in self.distributions.values():
            if other is not found and set(aliases_of(new)) & set(other.aliases()):
                raise Refusal('CNAMEAlreadyExists', 'One or more of the CNAMEs you provided are already '
                                                    'associated with a different resource.')

    def check_viewer_certificate(self, found, new):
        viewer = new.get('ViewerCertificate', {'CloudFrontDefaultCertificate': True})
        check_consistency(viewer)
        is_changed = essence(new) != essence(found.parsed)
        if is_changed and found.status == 'InProgress':
            raise Refusal('IllegalUpdate', 'Only one viewer certificate change may be in progress at a time.')
        arn = viewer.get('ACMCertificateArn')
        if arn is None:
            if viewer.get('IAMCertificateId') and is_changed:
                raise unusable(NOT_FOUND)
            if aliases_of(new) and not viewer.get('IAMCertificateId'):
                raise unusable('To add an alternate domain name (CNAME) to a CloudFront distribution, you '
                               'must attach a trusted certificate that validates your authorization to use '
                               f'the domain name. {REQUIREMENTS}')
            return
        certificate = self.acm.certificates.get(arn)
        if certificate is None or not arn.startswith('arn:aws:acm:us-east-1:'):
            raise unusable(NOT_FOUND)
        if certificate.lag > 0:
            certificate.lag -= 1
            raise unusable(NOT_FOUND)
        if certificate.key_algorithm not in KEY_ALGORITHMS or \
                aws_certificate.not_after(certificate.leaf) < self.clock():
            raise unusable(NOT_FOUND)
        if not all(aws_certificate.covers(certificate.leaf, alias) for alias in aliases_of(new)):
            raise unusable("The certificate that is attached to your distribution doesn't cover the "
                           f"alternate domain name (CNAME) that you're trying to add. {REQUIREMENTS}")


DISTRIBUTION = f'/{VERSION}/distribution'

ROUTES = {
    'ListDistributions': ('GET', DISTRIBUTION, CloudFront.list_distributions),
    'GetDistribution': ('GET', DISTRIBUTION + '/([^/]+)', CloudFront.get_distribution),
    'GetDistributionConfig': ('GET', DISTRIBUTION + '/([^/]+)/config', CloudFront.get_distribution_config),
    'UpdateDistribution': ('PUT', DISTRIBUTION + '/([^/]+)/config', CloudFront.update_distribution),
}


class Distribution:
    def __init__(self, name, given, parsed, polls, now):
        self.name = name
        self.arn = f'arn:aws:cloudfront::{ACCOUNT}:distribution/{name}'
        self.config = given['config']
        self.parsed = parsed
        self.etag = given.get('etag') or new_etag()
        self.status = given.get('status', 'Deployed')
        self.polls = polls
        self.former = set()
        self.modified = now

    def state(self):
        return {'etag': self.etag, 'status': self.status, 'config': self.config, 'aliases': self.aliases()}

    def aliases(self):
        return aliases_of(self.parsed)

    def certificates(self):
        """Of ACM; the edges have the former one until all is deployed, and so it is in use until then."""
        return {essence(self.parsed)['ACMCertificateArn']} | self.former

    def poll(self):
        if self.status == 'InProgress' and self.polls == 0:
            self.status = 'Deployed'
            self.former = set()
        elif self.status == 'InProgress':
            self.polls -= 1

    def update(self, config, parsed, polls, now):
        self.former = self.certificates()
        self.config = config
        self.parsed = parsed
        self.etag = new_etag()
        self.status = 'InProgress'
        self.polls = polls
        self.modified = now

    def served(self):
        """Its configuration as it is answered: CloudFront adds the deprecated names of the certificate."""
        text = re.sub(r'\A\s*<\?xml.*?\?>\s*', '', self.config)
        viewer = r'(?s)(<ViewerCertificate>)(.*?)(</ViewerCertificate>)'
        return re.sub(viewer, with_deprecated_names, text, count=1)

    def document(self):
        config = self.served().replace(f' xmlns="{NAMESPACE}"', '', 1)
        return (f'<Distribution xmlns="{NAMESPACE}">{self.head()}'
                '<InProgressInvalidationBatches>0</InProgressInvalidationBatches>'
                f'<DomainName>{self.domain()}</DomainName>'
                f'<ActiveTrustedSigners><Enabled>false</Enabled>{NONE}</ActiveTrustedSigners>'
                f'<ActiveTrustedKeyGroups><Enabled>false</Enabled>{NONE}</ActiveTrustedKeyGroups>'
                f'{config}</Distribution>')

    def summary(self):
        root = ET.fromstring(self.served())
        text = f'<DistributionSummary>{self.head()}<DomainName>{self.domain()}</DomainName>'
        for name, otherwise in SUMMARISED.items():
            part = root.find(f'{{{NAMESPACE}}}{name}')
            if part is None:
                text += f'<{name}>{otherwise}</{name}>'
            else:
                part.tail = None
                text += ET.tostring(part, encoding='unicode')
        return text + '</DistributionSummary>'

    def head(self):
        modified = time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(self.modified))
        return (f'<Id>{escape(self.name)}</Id><ARN>{escape(self.arn)}</ARN><Status>{self.status}</Status>'
                f'<LastModifiedTime>{modified}.000Z</LastModifiedTime>')

    def domain(self):
        return f'd{self.name.lower()}.cloudfront.net'


def with_deprecated_names(found):
    """As answers have them that users have shown: aws-cli 6275 (acm), certbot-s3front 12 (cloudfront)."""
    start, inside, end = found.groups()
    arn = re.search('<ACMCertificateArn>(.*?)</ACMCertificateArn>', inside)
    if '<CertificateSource>' in inside or '<Certificate>' in inside:
        return found.group()
    if arn:
        inside += f'<Certificate>{arn.group(1)}</Certificate><CertificateSource>acm</CertificateSource>'
    elif '<CloudFrontDefaultCertificate>true<' in inside:
        inside += '<CertificateSource>cloudfront</CertificateSource>'
    return start + inside + end


def check_consistency(viewer):
    arn, iam = viewer.get('ACMCertificateArn'), viewer.get('IAMCertificateId')
    is_default = viewer.get('CloudFrontDefaultCertificate', False)
    if [bool(arn), bool(iam), is_default].count(True) != 1:
        raise unusable('Exactly one of ACMCertificateArn, IAMCertificateId and CloudFrontDefaultCertificate '
                       'must be given.')
    # The texts for IAMCertificateId are in certbot-s3front 12; an ARN is taken to be treated alike.
    member, source = ('ACMCertificateArn', 'acm') if arn else ('IAMCertificateId', 'iam') if iam else \
        ('CloudFrontDefaultCertificate', 'cloudfront')
    if viewer.get('CertificateSource', source) != source:
        raise unusable(f'Cannot specify {member} and a CertificateSource not equal to "{source}".')
    if viewer.get('Certificate', arn or iam) != (arn or iam):
        raise unusable(f'Your {member} does not match the given Certificate field.')
    if is_default:
        return
    if 'SSLSupportMethod' not in viewer or 'MinimumProtocolVersion' not in viewer:
        raise unusable(f'{member} must go with SSLSupportMethod and MinimumProtocolVersion.')
    if viewer['SSLSupportMethod'] == 'sni-only' and viewer['MinimumProtocolVersion'] == 'SSLv3':
        raise Refusal('InvalidMinimumProtocolVersion', 'The minimum protocol version specified is not valid.')


def check_quantities(part):
    if isinstance(part, list):
        for one in part:
            check_quantities(one)
    elif isinstance(part, dict):
        if part.get('Quantity', 0) != len(part.get('Items', [])) and 'Quantity' in part:
            raise Refusal('InconsistentQuantities',
                          "The value of Quantity and the size of Items don't match.")
        for one in part.values():
            check_quantities(one)


def essence(config):
    """Of the viewer certificate: what makes a change of it, without the deprecated names."""
    viewer = config.get('ViewerCertificate', {})
    return {name: viewer.get(name) or None for name in
            ('ACMCertificateArn', 'IAMCertificateId', 'SSLSupportMethod', 'MinimumProtocolVersion')}


def aliases_of(config):
    return config.get('Aliases', {}).get('Items', [])


def new_etag():
    return 'E' + ''.join(secrets.choice('0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ') for _ in range(13))


def unusable(message):
    return Refusal('InvalidViewerCertificate', message)
