"""A double of EC2's instance metadata service, version 2 only: plain HTTP on loopback.

    python3 metadata_double.py FOLDER

Reads FOLDER/double.json: {"access_key_id", "access_key_secret", "session_token", ["role"]}, prints the port
that it listens on, and writes each request to FOLDER/metadata.jsonl. It ends with SIGTERM or its stdin.
The statuses are those of EC2's user guide, "Use the Instance Metadata Service".
"""
import http.server
import json
import os
import pathlib
import secrets
import signal
import socketserver
import sys
import threading
import time

sys.dont_write_bytecode = True

from double import exit_with_stdin  # noqa: E402

TOKEN = '/latest/api/token'
CREDENTIALS = '/latest/meta-data/iam/security-credentials/'
LIFE = 'x-aws-ec2-metadata-token-ttl-seconds'
LONGEST = 21600


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'
    disable_nagle_algorithm = True

    def do_PUT(self):
        self.rfile.read(int(self.headers.get('content-length', 0)))
        life = self.headers.get(LIFE, '')
        if self.url() != TOKEN:
            self.send(404)
        elif 'x-forwarded-for' in self.headers:
            self.send(403)
        elif not life.isdecimal() or not 1 <= int(life) <= LONGEST:
            self.send(400)
        else:
            token = secrets.token_urlsafe(40)
            self.server.tokens[token] = time.monotonic() + int(life)
            self.send(200, token, {LIFE: life})

    def do_GET(self):
        settings = self.server.settings
        role = settings.get('role', 'certcast')
        token = self.headers.get('x-aws-ec2-metadata-token')
        if self.server.tokens.get(token, 0) < time.monotonic():
            self.send(401)
        elif self.url() == CREDENTIALS:
            self.send(200, role)
        elif self.url() == CREDENTIALS + role:
            self.send(200, json.dumps(credentials(settings), indent=2))
        else:
            self.send(404)

    def url(self):
        return self.requestline.split()[1]

    def send(self, status, text='', headers=()):
        self.server.record({'method': self.command, 'url': self.url(), 'answer': status,
                            'headers': {name.lower(): value for name, value in self.headers.items()}})
        self.send_response_only(status)
        for name, value in dict(headers).items():
            self.send_header(name, value)
        self.send_header('Content-Type', 'text/plain')
        self.send_header('Content-Length', str(len(text.encode())))
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *_):
        pass


def credentials(settings):
    """As botocore's InstanceMetadataFetcher takes them."""
    return {'Code': 'Success', 'LastUpdated': instant(0), 'Type': 'AWS-HMAC',
            'AccessKeyId': settings['access_key_id'], 'SecretAccessKey': settings['access_key_secret'],
            'Token': settings['session_token'], 'Expiration': instant(6 * 60 * 60)}


def instant(from_now):
    return time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime(time.time() + from_now))


class Server(socketserver.ThreadingTCPServer):
    daemon_threads = True

    def __init__(self, folder):
        self.settings = json.loads((folder / 'double.json').read_text())
        self.tokens = {}
        self.record_file = os.open(folder / 'metadata.jsonl', os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        super().__init__(('127.0.0.1', 0), Handler)

    def record(self, line):
        os.write(self.record_file, json.dumps(line).encode() + b'\n')


if __name__ == '__main__':
    own = Server(pathlib.Path(sys.argv[1]))
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    threading.Thread(target=exit_with_stdin, daemon=True).start()
    print(own.server_address[1], flush=True)
    own.serve_forever()
