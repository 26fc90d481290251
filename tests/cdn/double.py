"""What a double of a cloud vendor is made of, in Python: an HTTPS server on loopback that keeps the
vendor's objects, records what it is sent, and has the faults that a test asks for.

    Double(folder, make_vendor).serve()

make_vendor(settings, clock) gives an object with
    operation(request)         the vendor's name of what is asked for, or None
    check(request)             raises a Refusal where the request is not to be believed
    handle(request)            does it, and gives an Answer
    failure(request, refusal)  the vendor's form of an error, as an Answer
    state()                    the vendor's objects as they are now
"""
import dataclasses
import email.utils
import functools
import http.server
import json
import os
import pathlib
import signal
import socket
import socketserver
import ssl
import struct
import sys
import threading
import time
import traceback

FAULTS = {'answer', 'error', 'reset', 'truncate', 'commit_then_hang', 'commit_then_reset', 'hang'}


class Refusal(Exception):
    """What the vendor answers instead of doing it; without a status it has the one of its code."""

    def __init__(self, code, message, status=None):
        super().__init__(message)
        self.code = code
        self.message = message
        self.status = status


@dataclasses.dataclass(frozen=True)
class Request:
    """As it was received: `fields` are the header's lines in their order, `url` is the request line's."""

    method: str
    url: str
    fields: list
    body: bytes

    @property
    def path(self):
        return self.url.partition('?')[0]

    @property
    def query(self):
        return self.url.partition('?')[2]

    @functools.cached_property
    def headers(self):
        joined = {}
        for name, value in self.fields:
            name = name.lower()
            joined[name] = f'{joined[name]}, {value}' if name in joined else value
        return joined


@dataclasses.dataclass
class Answer:
    status: int
    headers: dict
    body: bytes
    code: str = None


class Double:
    def __init__(self, folder, make_vendor):
        self.folder = pathlib.Path(folder)
        settings = {'clock_offset': 0, 'polls': 1, 'state': {},
                    **json.loads((self.folder / 'double.json').read_text())}
        self.offset = settings['clock_offset']
        self.vendor = make_vendor(settings, self.clock)
        self.faults = Faults(self.folder / 'faults.json')
        self.lock = threading.Lock()
        self.record_file = os.open(self.folder / 'requests.jsonl',
                                   os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    def clock(self):
        """The double's time, in seconds since 1970."""
        return time.time() + self.offset

    def serve(self):
        self.keep_state()
        server = Server(self)
        signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
        threading.Thread(target=exit_with_stdin, daemon=True).start()
        print(server.server_address[1], flush=True)
        server.serve_forever()

    def answer(self, request):
        """What is to be sent, if anything, and how it is to go wrong, if at all."""
        with self.lock:
            action = self.vendor.operation(request)
            self.record({'method': request.method, 'url': request.url, 'headers': request.headers,
                         'body': request.body.decode(errors='replace'), 'action': action})
            fault = self.faults.hit(action)
            kind = fault and fault['do']
            if kind in ('hang', 'reset'):
                self.record({'answer': None, 'action': action, 'code': None})
                return None, kind
            answer = self.result(request, fault)
            status = None if kind in ('commit_then_hang', 'commit_then_reset') else answer.status
            self.record({'answer': status, 'action': action, 'code': answer.code})
            return answer, kind

    def result(self, request, fault):
        try:
            self.vendor.check(request)
            if fault and fault['do'] == 'answer':
                return Answer(fault['status'], fault.get('headers', {}), fault.get('body', '').encode())
            if fault and fault['do'] == 'error':
                message = fault.get('message', 'as the test asks')
                answer = self.refused(request, Refusal(fault['code'], message, fault.get('status')))
                answer.headers.update(fault.get('headers', {}))
                return answer
            answer = self.vendor.handle(request)
            self.keep_state()
            return answer
        except Refusal as refusal:
            # What a refused request has changed all the same, such as how often it was tried.
            self.keep_state()
            return self.refused(request, refusal)

    def refused(self, request, refusal):
        answer = self.vendor.failure(request, refusal)
        answer.code = refusal.code
        return answer

    def record(self, line):
        os.write(self.record_file, json.dumps(line).encode() + b'\n')

    def keep_state(self):
        draft = self.folder / 'state.json.new'
        draft.write_text(json.dumps(self.vendor.state(), indent=1))
        draft.replace(self.folder / 'state.json')


class Faults:
    """What FOLDER/faults.json asks for; counting starts anew when its content changes."""

    def __init__(self, file):
        self.file = file
        self.text = '[]'
        self.list = []

    def hit(self, action):
        self.read()
        for fault in self.list:
            if fault['on'] not in ('*', action):
                continue
            if fault['skip'] > 0:
                fault['skip'] -= 1
            elif fault['times'] != 0:
                fault['times'] -= 1
                return fault
        return None

    def read(self):
        text = self.file.read_text() if self.file.exists() else '[]'
        if text == self.text:
            return
        faults = [{'skip': 0, 'times': 1, **fault} for fault in json.loads(text)]
        for fault in faults:
            if fault['do'] not in FAULTS:
                raise ValueError(f'{self.file}: no such fault: {fault["do"]}')
        self.text, self.list = text, faults


class Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    request_queue_size = 64

    def __init__(self, double):
        self.double = double
        self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.tls.load_cert_chain(double.folder / 'server.pem', double.folder / 'server.key')
        super().__init__(('127.0.0.1', 0), Handler)

    def get_request(self):
        """The handshake is left to the connection's own thread."""
        connection, address = super().get_request()
        return self.tls.wrap_socket(connection, server_side=True, do_handshake_on_connect=False), address

    def handle_error(self, request, client_address):
        """A client that goes away is no error of the double's."""
        if not isinstance(sys.exc_info()[1], OSError):
            traceback.print_exc()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'
    disable_nagle_algorithm = True

    def setup(self):
        self.request.do_handshake()
        super().setup()

    def serve(self):
        if 'transfer-encoding' in self.headers:
            self.send_error(411)
            return
        length = int(self.headers.get('content-length', 0))
        body = self.rfile.read(length)
        if len(body) < length:
            self.close_connection = True
            return
        # self.path is not as received: leading slashes are put together in it.
        request = Request(self.command, self.requestline.split()[1], self.headers.items(), body)
        answer, fault = self.server.double.answer(request)
        if fault in ('hang', 'commit_then_hang'):
            self.wait_for_the_end()
        elif fault in ('reset', 'commit_then_reset'):
            self.reset()
        else:
            self.send(answer, len(answer.body) // 2 if fault == 'truncate' else len(answer.body))

    do_DELETE = do_GET = do_PATCH = do_POST = do_PUT = serve

    def send(self, answer, bytes_sent):
        self.send_response_only(answer.status)
        # Clients set their clock by it.
        self.send_header('Date', email.utils.formatdate(self.server.double.clock(), usegmt=True))
        for name, value in answer.headers.items():
            if name.lower() != 'content-length':
                self.send_header(name, value)
        self.send_header('Content-Length', str(len(answer.body)))
        self.end_headers()
        self.wfile.write(answer.body[:bytes_sent])
        if bytes_sent < len(answer.body):
            self.close_connection = True

    def wait_for_the_end(self):
        self.close_connection = True
        while self.connection.recv(4096):
            pass

    def reset(self):
        self.close_connection = True
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
        # Closed here and now: a shutdown before it would end the connection in order.
        os.close(self.connection.detach())

    def log_message(self, *_):
        pass


def exit_with_stdin():
    """Whoever has started the double is gone when its stdin ends."""
    try:
        while os.read(0, 4096):
            pass
    finally:
        os._exit(0)
