"""Whether a request bears the signature (version 4) of whom it says it is from, by botocore's own signer.

What botocore's signer would make good or leave to its caller is taken from it here: which headers are
signed is what the request says, the query is decoded before the signer encodes it, and the hash of a
body is of the body that came.
"""
import calendar
import hashlib
import hmac
import re
import time
import urllib.parse

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.compat import HTTPHeaders
from botocore.credentials import Credentials

from double import Refusal

AUTHORIZATION = re.compile(
    r'AWS4-HMAC-SHA256 +Credential=([^,\s]+), *SignedHeaders=([^,\s]+), *Signature=([0-9a-f]{64})')

# CloudFront has 5 minutes in the text of its error ("is now earlier than .. - 5 min."), and so have most.
LIMIT = 5 * 60


def check(request, settings, service, region, codes, now):
    """Raises a Refusal with what `codes` has for "missing", "incomplete", "unknown" or "mismatch"."""
    def refuse(kind, message):
        raise Refusal(codes[kind][0], message, codes[kind][1])

    authorization = request.headers.get('authorization')
    if authorization is None:
        refuse('missing', 'Missing Authentication Token')
    parts = AUTHORIZATION.fullmatch(authorization)
    if parts is None:
        refuse('incomplete', "Authorization header requires 'Credential', 'SignedHeaders' and 'Signature'.")
    date = request.headers.get('x-amz-date', '')
    if not re.fullmatch(r'[0-9]{8}T[0-9]{6}Z', date):
        refuse('incomplete', "Authorization header requires existence of a valid 'X-Amz-Date' header.")
    credential, signed, signature = parts.groups()
    key_id, *scope = credential.split('/')
    if key_id != settings['access_key_id'] or \
            request.headers.get('x-amz-security-token') != settings.get('session_token'):
        refuse('unknown', 'The security token included in the request is invalid.')
    if scope != [date[:8], region, service, 'aws4_request']:
        refuse('mismatch', f'Credential should be scoped to {date[:8]}/{region}/{service}/aws4_request.')
    off = seconds_of(date) - now
    if off < -LIMIT:
        refuse('mismatch', f'Signature expired: {date} is now earlier than {date_of(now - LIMIT)} '
                           f'({date_of(now)} - 5 min.)')
    if off > LIMIT:
        refuse('mismatch', f'Signature not yet current: {date} is still later than {date_of(now + LIMIT)} '
                           f'({date_of(now)} + 5 min.)')
    for name in ('host', *request.headers):
        if must_be_signed(name) and (name not in signed.split(';') or name not in request.headers):
            refuse('mismatch', f"'{name}' must be a 'SignedHeader' in the AWS Authorization.")
    if request.headers.get('x-amz-content-sha256', hash_of(request.body)) != hash_of(request.body):
        refuse('mismatch', 'The x-amz-content-sha256 is not that of the body.')
    signer = Signer(Credentials(settings['access_key_id'], settings['access_key_secret']), service, region)
    signer.signed = signed.split(';')
    own = as_botocore_has_it(request, date)
    canonical = signer.canonical_request(own)
    to_sign = signer.string_to_sign(own, canonical)
    if signed != ';'.join(sorted(set(signer.signed))) or \
            not hmac.compare_digest(signer.signature(to_sign, own), signature):
        refuse('mismatch', 'The request signature we calculated does not match the signature you provided. '
                           'Check your AWS Secret Access Key and signing method.\n\nThe Canonical String for '
                           f"this request should have been\n'{canonical}'\n\nThe String-to-Sign should have "
                           f"been\n'{to_sign}'")


class Signer(SigV4Auth):
    """Signs the headers which the request says are signed."""

    def headers_to_sign(self, request):
        chosen = HTTPHeaders()
        for name, value in request.headers.items():
            if name.lower() in self.signed:
                chosen[name.lower()] = value
        return chosen


def as_botocore_has_it(request, date):
    fields = HTTPHeaders()
    for name, value in request.fields:
        fields[name] = value
    host = request.headers.get('host', '')
    own = AWSRequest(request.method, f'https://{host}{request.path}', fields, request.body,
                     decoded(request.query))
    own.context['timestamp'] = date
    return own


def decoded(query):
    pairs = [pair.partition('=') for pair in query.split('&') if pair]
    return [(urllib.parse.unquote(name), urllib.parse.unquote(value)) for name, _, value in pairs]


def must_be_signed(name):
    """IAM's guide, "Create a signed AWS API request": host, content-type, and every x-amz-* header."""
    return name in ('host', 'content-type') or name.startswith('x-amz-')


def hash_of(body):
    return hashlib.sha256(body).hexdigest()


def seconds_of(date):
    try:
        return calendar.timegm(time.strptime(date, '%Y%m%dT%H%M%SZ'))
    except ValueError:
        return 0


def date_of(seconds):
    return time.strftime('%Y%m%dT%H%M%SZ', time.gmtime(seconds))
