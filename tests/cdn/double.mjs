// What the doubles of the cloud vendors have in common: an HTTPS server on loopback that keeps the
// vendor's objects, records what it is sent, and has the faults that a test asks for.
//
//     new Double(folder, {operation, check, handle, failure}).listen();
//
// operation(request) is the vendor's name of what is asked for, or null. check(request) throws a
// Refusal where the request is not to be believed. handle(request) does it, and gives the answer;
// what it changes of `state` is kept. failure(refusal) is the vendor's form of an error.
import crypto from 'node:crypto';
import fs from 'node:fs';
import https from 'node:https';
import {createRequire} from 'node:module';
import os from 'node:os';
import path from 'node:path';
import {isSameKey} from './pem.mjs';

/** The folder that install.sh has filled. */
export const installed = process.env.CERTCAST_CDN ??
    path.join(process.env.XDG_CACHE_HOME ?? path.join(os.homedir(), '.cache'), 'certcast/cdn');

/** The vendors' own packages. */
export const requireOfficial = createRequire(path.join(installed, 'package.json'));

/** What the vendor answers instead of doing it. */
export class Refusal extends Error {
    constructor(code, message, status = 400) {
        super(message);
        this.code = code;
        this.status = status;
    }
}

export class Double {
    constructor(folder, vendor) {
        this.folder = folder;
        this.vendor = vendor;
        const settings = JSON.parse(fs.readFileSync(path.join(folder, 'double.json'), 'utf8'));
        this.settings = {clock_offset: 0, polls: 1, ...settings};
        this.state = settings.state ?? {};
        this.nonces = new Set();
        this.connections = new Map();
        this.faults = {text: '', list: []};
    }

    /** The double's clock, in milliseconds since 1970. */
    now() {
        return Date.now() + this.settings.clock_offset * 1000;
    }

    /** Whether this is the first time that it is used. */
    isNew(nonce) {
        if (this.nonces.has(nonce)) return false;
        this.nonces.add(nonce);
        return true;
    }

    listen() {
        const server = https.createServer({
            cert: fs.readFileSync(path.join(this.folder, 'server.pem')),
            key: fs.readFileSync(path.join(this.folder, 'server.key')),
        });
        server.on('request', (incoming, answer) => {
            this.#serve(incoming, answer).catch((error) => {
                process.stderr.write(`${error.stack}\n`);
                incoming.socket.destroy();
            });
        });
        server.on('connection', (socket) => {
            const {remotePort} = socket;
            this.connections.set(remotePort, socket);
            socket.on('close', () => this.connections.delete(remotePort));
        });
        this.#keepState();
        server.listen(0, '127.0.0.1', () => process.stdout.write(`${server.address().port}\n`));
        process.stdin.on('end', () => process.exit(0)).resume();
        process.on('SIGTERM', () => process.exit(0));
    }

    async #serve(incoming, answer) {
        const parts = [];
        for await (const part of incoming) parts.push(part);
        const body = Buffer.concat(parts);
        const [pathname, ...query] = incoming.url.split('?');
        const request = {
            method: incoming.method, url: incoming.url, path: pathname, query: query.join('?'),
            headers: incoming.headers, body,
        };
        const action = this.vendor.operation(request);
        this.#record({method: request.method, url: request.url, headers: request.headers,
            body: body.toString(), action});
        const fault = this.#faultOf(action);
        if (fault?.do === 'hang') return this.#recordAnswer(action, null, null);
        if (fault?.do === 'reset') {
            this.#recordAnswer(action, null, null);
            this.#reset(incoming.socket);
            return;
        }
        const result = this.#resultOf(request, fault);
        const text = typeof result.body === 'string' ? result.body : JSON.stringify(result.body);
        const silent = fault?.do.startsWith('commit_then_');
        this.#recordAnswer(action, silent ? null : result.status, result.code ?? null);
        if (fault?.do === 'commit_then_hang') return;
        if (fault?.do === 'commit_then_reset') {
            this.#reset(incoming.socket);
            return;
        }
        const headers = {'content-type': 'application/json', ...result.headers,
            'content-length': Buffer.byteLength(text)};
        answer.writeHead(result.status, headers);
        if (fault?.do === 'truncate') {
            answer.write(Buffer.from(text).subarray(0, Math.floor(text.length / 2)), () => {
                incoming.socket.end();
            });
        } else {
            answer.end(text);
        }
    }

    /** A TLS socket cannot be reset, but the TCP connection below it can. */
    #reset(socket) {
        this.connections.get(socket.remotePort).resetAndDestroy();
    }

    #resultOf(request, fault) {
        try {
            this.vendor.check(request);
            if (fault?.do === 'answer') {
                return {status: fault.status, headers: fault.headers, body: fault.body ?? ''};
            }
            if (fault?.do === 'error') {
                const {code, message = 'as the test asks', status} = fault;
                const refused = this.#refused(new Refusal(code, message, status));
                return {...refused, headers: {...refused.headers, ...fault.headers}};
            }
            const result = {status: 200, ...this.vendor.handle(request)};
            this.#keepState();
            return result;
        } catch (error) {
            if (!(error instanceof Refusal)) throw error;
            return this.#refused(error);
        }
    }

    #refused(refusal) {
        return {...this.vendor.failure(refusal), code: refusal.code};
    }

    /** The first that is asked for and has something left. */
    #faultOf(action) {
        let text = '[]';
        try {
            text = fs.readFileSync(path.join(this.folder, 'faults.json'), 'utf8');
        } catch {
            // None is asked for.
        }
        if (text !== this.faults.text) {
            const list = JSON.parse(text).map((fault) => ({skip: 0, times: 1, ...fault}));
            this.faults = {text, list};
        }
        for (const fault of this.faults.list) {
            if (fault.on !== '*' && fault.on !== action) continue;
            if (fault.skip > 0) {
                fault.skip -= 1;
            } else if (fault.times !== 0) {
                fault.times -= 1;
                return fault;
            }
        }
        return undefined;
    }

    #record(line) {
        fs.appendFileSync(path.join(this.folder, 'requests.jsonl'), `${JSON.stringify(line)}\n`);
    }

    #recordAnswer(action, status, code) {
        this.#record({answer: status, action, code});
    }

    #keepState() {
        const draft = path.join(this.folder, 'state.json.new');
        fs.writeFileSync(draft, JSON.stringify(this.state, null, 1));
        fs.renameSync(draft, path.join(this.folder, 'state.json'));
    }
}

/**
 * A certificate and its key as vendors take them: facts of the leaf, and of the key its SHA-256 alone.
 * Gives undefined where either does not parse, or they do not belong together.
 */
export function pairOf(certificatePem, keyPem) {
    try {
        const leaf = new crypto.X509Certificate(certificatePem);
        const key = crypto.createPrivateKey(keyPem);
        if (!isSameKey(leaf.publicKey, crypto.createPublicKey(key))) return undefined;
        return {...factsOf(leaf), certificate: certificatePem,
            key_sha256: hash(key.export({type: 'pkcs8', format: 'der'}))};
    } catch {
        return undefined;
    }
}

function factsOf(leaf) {
    const names = (leaf.subjectAltName ?? '').split(', ').map((name) => name.replace(/^DNS:/, ''));
    return {sha256: hash(leaf.raw), serial: leaf.serialNumber, names,
        issuer: leaf.issuer, not_after: new Date(leaf.validTo).toISOString(),
        not_before: new Date(leaf.validFrom).toISOString()};
}

export function hash(bytes) {
    return crypto.createHash('sha256').update(bytes).digest('hex');
}
