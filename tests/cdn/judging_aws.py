"""What judging the double of AWS takes: certificates by openssl, doubles that run, and counting checks."""
import hashlib
import http.client
import json
import pathlib
import socket
import ssl
import subprocess
import sys
import tempfile

import boto3
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials
from botocore.exceptions import ClientError, HTTPClientError
from botocore.parsers import ResponseParserError

HERE = pathlib.Path(__file__).resolve().parent
KEY = {'access_key_id': 'AKIDEXAMPLE', 'access_key_secret': 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY'}

failures = []


def check(is_ok, sentence, came=''):
    print(f'ok - {sentence}' if is_ok else f'not ok - {sentence}: {came}', flush=True)
    if not is_ok:
        failures.append(sentence)


def equal(came, wanted, sentence):
    check(came == wanted, sentence, f'{came!r} and not {wanted!r}')


def refused(code, sentence, do, status=None):
    """It must be the service that refuses, and by this code."""
    try:
        came = do()
    except ClientError as error:
        came = error.response['Error'], error.response['ResponseMetadata']['HTTPStatusCode']
        check(came[0]['Code'] == code and status in (None, came[1]), sentence, came)
        return came[0]['Message']
    check(False, sentence, came)
    return ''


def error_of(do):
    """Half an answer is a KeyError, for Debian's botocore takes it for an answer without anything in it."""
    try:
        do()
        return None
    except (HTTPClientError, ResponseParserError, KeyError) as error:
        return type(error).__name__


class Certificates:
    """Two authorities, for ACM wants a certificate's key of the kind of its issuer's, and what they issue."""

    def __init__(self, folder):
        self.folder = folder
        self.authority('ec')
        self.authority('rsa')
        self.issue('sub', 'ec', '/CN=Sub', 'basicConstraints=critical,CA:TRUE')
        self.issue('server', 'rsa', '/CN=localhost', 'subjectAltName=DNS:localhost,IP:127.0.0.1')
        self.issue('nameless', 'sub', '/O=Shops', 'keyUsage=digitalSignature')
        (folder / 'server.pem').write_bytes(self.pem('server') + self.pem('ec'))
        self.shop('shop', 'sub')
        self.shop('shop2', 'sub')
        self.shop('fewer', 'sub', 'keyAgreement')
        self.shop('other', 'sub', names='DNS:other.test')
        self.shop('rsashop', 'rsa')
        self.shop('mixed', 'rsa', key='ec')
        self.shop('large', 'sub', key='ec384')
        self.shop('old', 'sub', days='-1')
        self.openssl('pkcs8', '-topk8', '-in', 'shop.key', '-out', 'locked.key', '-passout', 'pass:x')

    def openssl(self, *command):
        return subprocess.run(['openssl', *command], cwd=self.folder, check=True, capture_output=True).stdout

    def key(self, kind, name):
        how = {'ec': ['EC', '-pkeyopt', 'ec_paramgen_curve:P-256'],
               'ec384': ['EC', '-pkeyopt', 'ec_paramgen_curve:P-384'], 'rsa': ['RSA']}[kind]
        self.openssl('genpkey', '-algorithm', *how, '-out', f'{name}.key')

    def authority(self, kind):
        self.key(kind, kind)
        self.openssl('req', '-x509', '-new', '-key', f'{kind}.key', '-subj', f'/O=Shops/CN={kind}',
                     '-days', '9', '-out', f'{kind}.pem')

    def shop(self, name, by, usage='digitalSignature,keyAgreement', names='DNS:shop.test,DNS:*.shop.test',
             days='9', key=None):
        extensions = f'subjectAltName={names}\nkeyUsage={usage}\nextendedKeyUsage=serverAuth'
        self.issue(name, by, '/CN=' + names.split(',')[0][4:], extensions, days, key)

    def issue(self, name, by, subject, extensions, days='9', key=None):
        self.key(key or ('rsa' if by == 'rsa' else 'ec'), name)
        (self.folder / 'ext').write_text(extensions)
        self.openssl('req', '-new', '-key', f'{name}.key', '-subj', subject, '-out', 'csr')
        self.openssl('x509', '-req', '-in', 'csr', '-CA', f'{by}.pem', '-CAkey', f'{by}.key',
                     '-CAcreateserial', '-days', days, '-extfile', 'ext', '-out', f'{name}.pem')

    def pem(self, name):
        return (self.folder / f'{name}.pem').read_bytes()

    def material(self, name, key=None, chain=('sub', 'ec')):
        return {'Certificate': self.pem(name),
                'PrivateKey': (self.folder / f'{key or name}.key').read_bytes(),
                'CertificateChain': b''.join(self.pem(one) for one in chain)}

    def sha256(self, name):
        return hashlib.sha256(self.openssl('x509', '-in', f'{name}.pem', '-outform', 'DER')).hexdigest()

    def key_sha256(self, name):
        return hashlib.sha256(self.openssl('pkcs8', '-topk8', '-nocrypt', '-in', f'{name}.key',
                                           '-outform', 'DER')).hexdigest()


class Running:
    """A double, from its start to its stop."""

    all = []

    def __init__(self, made, script='aws_double.py', **settings):
        self.folder = pathlib.Path(tempfile.mkdtemp(dir=made.folder))
        for name in ('server.pem', 'server.key'):
            (self.folder / name).symlink_to(made.folder / name)
        (self.folder / 'double.json').write_text(json.dumps({**KEY, **settings}))
        self.process = subprocess.Popen([sys.executable, HERE / script, self.folder], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE)
        self.all.append(self)
        self.port = int(self.process.stdout.readline())
        self.authorities = str(made.folder / 'rsa.pem')

    def client(self, service, region='us-east-1', attempts=1, timeout=5, **credentials):
        given = {**KEY, **credentials}
        return boto3.client(
            service, region, endpoint_url=f'https://localhost:{self.port}', verify=self.authorities,
            aws_access_key_id=given['access_key_id'], aws_secret_access_key=given['access_key_secret'],
            aws_session_token=given.get('session_token'),
            config=Config(read_timeout=timeout, retries={'total_max_attempts': attempts}))

    def send(self, method, path, body=b'', headers=(), service='cloudfront', tamper=None):
        """As botocore's signer signs it, sent as it stands; `tamper` changes what was signed."""
        url = f'https://localhost:{self.port}'
        request = AWSRequest(method, url + path, dict(headers), body)
        SigV4Auth(Credentials(*KEY.values()), service, 'us-east-1').add_auth(request)
        sent = {'method': method, 'path': path, 'body': body, 'headers': dict(request.headers)}
        if tamper:
            tamper(sent)
        connection = http.client.HTTPSConnection('localhost', self.port, timeout=5, context=self.tls())
        try:
            connection.request(sent['method'], sent['path'], sent['body'], sent['headers'])
            answer = connection.getresponse()
            return answer.status, answer.read().decode(), answer.headers
        finally:
            connection.close()

    def tls(self):
        return ssl.create_default_context(cafile=self.authorities)

    def is_reset(self):
        """Whether a request is met by the connection's reset; Python's TLS takes one for an end."""
        connection = self.tls().wrap_socket(socket.create_connection(('localhost', self.port), 5),
                                            server_hostname='localhost')
        connection.sendall(b'GET /2020-05-31/distribution HTTP/1.1\r\nHost: localhost\r\n\r\n')
        with socket.socket(fileno=connection.detach()) as below:
            below.settimeout(5)
            try:
                while below.recv(4096):
                    pass
                return False
            except ConnectionResetError:
                return True

    def acm(self, action, body, tamper=None, **headers):
        return self.send('POST', '/', body, {'X-Amz-Target': f'CertificateManager.{action}', **headers,
                                             'Content-Type': 'application/x-amz-json-1.1'}, 'acm', tamper)

    def state(self):
        return json.loads((self.folder / 'state.json').read_text())

    def requests(self):
        return [json.loads(line) for line in (self.folder / 'requests.jsonl').read_text().splitlines()]

    def faults(self, *faults):
        draft = self.folder / 'faults.new'
        draft.write_text(json.dumps(faults))
        draft.replace(self.folder / 'faults.json')

    def stop(self):
        self.process.stdin.close()
        self.process.wait(5)
        self.process.stdout.close()
