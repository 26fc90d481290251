"""A certificate as ACM looks at it: what is in it, who has issued it, whether a key is its own."""
import datetime
import hashlib
import re

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

BLOCK = re.compile(r'-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----', re.DOTALL)

CURVES = {'secp256r1': 'EC_prime256v1', 'secp384r1': 'EC_secp384r1', 'secp521r1': 'EC_secp521r1'}

USAGES = {
    'digital_signature': 'DIGITAL_SIGNATURE', 'content_commitment': 'NON_REPUDIATION',
    'key_encipherment': 'KEY_ENCIPHERMENT', 'data_encipherment': 'DATA_ENCIPHERMENT',
    'key_agreement': 'KEY_AGREEMENT', 'key_cert_sign': 'CERTIFICATE_SIGNING', 'crl_sign': 'CRL_SIGNING',
}

CLIENT_AUTHENTICATION = '1.3.6.1.5.5.7.3.2'

PURPOSES = {
    '1.3.6.1.5.5.7.3.1': 'TLS_WEB_SERVER_AUTHENTICATION',
    CLIENT_AUTHENTICATION: 'TLS_WEB_CLIENT_AUTHENTICATION',
    '1.3.6.1.5.5.7.3.3': 'CODE_SIGNING',
    '1.3.6.1.5.5.7.3.4': 'EMAIL_PROTECTION',
    '1.3.6.1.5.5.7.3.8': 'TIME_STAMPING',
    '1.3.6.1.5.5.7.3.9': 'OCSP_SIGNING',
    '2.5.29.37.0': 'ANY',
}


def certificates_in(pem):
    """Raises ValueError where one does not parse."""
    return [x509.load_pem_x509_certificate(block.encode()) for block in BLOCK.findall(pem)]


def pem_of(certificates):
    """As GetCertificate has it: no line break at the end."""
    blocks = [one.public_bytes(serialization.Encoding.PEM).decode() for one in certificates]
    return ''.join(blocks).rstrip('\n')


def sha256(certificate):
    return hashlib.sha256(certificate.public_bytes(serialization.Encoding.DER)).hexdigest()


def serial(certificate):
    digits = f'{certificate.serial_number:x}'
    digits = '0' * (len(digits) % 2) + digits
    return ':'.join(digits[at:at + 2] for at in range(0, len(digits), 2))


def key_algorithm(certificate):
    """In the model's terms; None where ACM has none for it."""
    key = certificate.public_key()
    if isinstance(key, rsa.RSAPublicKey):
        return f'RSA_{key.key_size}' if key.key_size in (1024, 2048, 3072, 4096) else None
    return CURVES.get(key.curve.name) if isinstance(key, ec.EllipticCurvePublicKey) else None


def not_before(certificate):
    return instant(certificate, 'not_valid_before')


def not_after(certificate):
    return instant(certificate, 'not_valid_after')


def instant(certificate, name):
    """cryptography 42 has put "_utc" to the names and warns of the old ones."""
    if hasattr(certificate, name + '_utc'):
        return getattr(certificate, name + '_utc').timestamp()
    return getattr(certificate, name).replace(tzinfo=datetime.timezone.utc).timestamp()


def names(certificate):
    """The canonical one first, as ACM lists them."""
    common = [one.value for one in certificate.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)]
    others = extension(certificate, x509.SubjectAlternativeName) or []
    found = [str(name.value) for name in others if isinstance(name, (x509.DNSName, x509.IPAddress))]
    first = [name for name in common if name in found or not found]
    return list(dict.fromkeys(first + found))


def covers(certificate, host):
    host = host.lower()
    parent = '*.' + host.partition('.')[2]
    return any(name.lower() in (host, parent) for name in names(certificate))


def key_usages(certificate):
    usage = extension(certificate, x509.KeyUsage)
    return [name for field, name in USAGES.items() if getattr(usage, field)] if usage else []


def purposes(certificate):
    """The OIDs of its extended key usage."""
    return [one.dotted_string for one in extension(certificate, x509.ExtendedKeyUsage) or []]


def ocsp_urls(certificate):
    access = extension(certificate, x509.AuthorityInformationAccess) or []
    return [one.access_location.value for one in access
            if one.access_method == x509.AuthorityInformationAccessOID.OCSP]


def signature_algorithm(certificate):
    family = 'RSA' if 'RSA' in certificate.signature_algorithm_oid._name.upper() else 'ECDSA'
    return f'{certificate.signature_hash_algorithm.name.upper()}WITH{family}'


def issuer(certificate):
    organisation = certificate.issuer.get_attributes_for_oid(x509.NameOID.ORGANIZATION_NAME)
    return organisation[0].value if organisation else certificate.issuer.rfc4514_string()


def is_authority(certificate):
    constraints = extension(certificate, x509.BasicConstraints)
    return constraints is not None and constraints.ca


def is_issued_by(certificate, authority):
    if certificate.issuer != authority.subject:
        return False
    key = authority.public_key()
    signed = (certificate.signature, certificate.tbs_certificate_bytes)
    try:
        digest = certificate.signature_hash_algorithm
        if isinstance(key, rsa.RSAPublicKey):
            key.verify(*signed, padding.PKCS1v15(), digest)
        elif isinstance(key, ec.EllipticCurvePublicKey):
            key.verify(*signed, ec.ECDSA(digest))
        else:
            return False
        return True
    except (InvalidSignature, UnsupportedAlgorithm):
        return False


def private_key(pem):
    """Raises ValueError where it does not parse, TypeError where it is encrypted."""
    if len(re.findall(rb'-----BEGIN ', pem)) != 1:
        raise ValueError('not one PEM block')
    try:
        return serialization.load_pem_private_key(pem, None)
    except UnsupportedAlgorithm as error:
        raise ValueError(str(error)) from error


def is_pair(certificate, key):
    form = (serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return certificate.public_key().public_bytes(*form) == key.public_key().public_bytes(*form)


def key_sha256(key):
    return hashlib.sha256(key.private_bytes(serialization.Encoding.DER, serialization.PrivateFormat.PKCS8,
                                            serialization.NoEncryption())).hexdigest()


def extension(certificate, kind):
    try:
        return certificate.extensions.get_extension_for_class(kind).value
    except x509.ExtensionNotFound:
        return None
