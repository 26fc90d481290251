// What the judges of the doubles have in common: an authority with its certificates, a double that runs,
// and checks that are counted.
//
//     await judge(async ({authority, start}) => {
//         const double = await start('tencent_double.mjs', {access_key_id: ..});
//         checkEqual('the upload gives an id', answer.CertificateId, '..');
//     });
import {execFileSync, spawn} from 'node:child_process';
import crypto from 'node:crypto';
import fs from 'node:fs';
import https from 'node:https';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import {once} from 'node:events';
import readline from 'node:readline';
import {fileURLToPath} from 'node:url';
import {isDeepStrictEqual} from 'node:util';

let failures = 0;

/** One line for one check; `came` is said where it fails. */
export function check(sentence, holds, came) {
    if (holds) {
        process.stdout.write(`ok - ${sentence}\n`);
    } else {
        failures += 1;
        process.stdout.write(`not ok - ${sentence}: ${JSON.stringify(came) ?? String(came)}\n`);
    }
}

export function checkEqual(sentence, came, expected) {
    check(sentence, isDeepStrictEqual(came, expected), came);
}

/**
 * Checks that `attempt` (a function that gives a promise) is refused. `codeOf(error)` finds the vendor's code
 * in what the official client throws.
 */
export async function checkRefused(sentence, attempt, code, codeOf = (error) => error.code) {
    let came;
    try {
        came = {answered: await attempt()};
    } catch (error) {
        came = codeOf(error);
        if (came !== code) came = {code: came, error: String(error)};
    }
    check(`${sentence} (${code})`, came === code, came);
}

/**
 * Runs `body({folder, authority, start})` in a folder of its own, and ends the process: with 0 where every
 * check held. start(script, settings, {names}) gives a RunningDouble; its certificate is for 127.0.0.1,
 * localhost and `names`.
 */
export async function judge(body) {
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'certcast-judge-'));
    const doubles = [];
    const authority = new Authority(folder);
    const start = async (script, settings, options = {}) => {
        const double = new RunningDouble(folder, authority, script, settings, options);
        doubles.push(double);
        await double.listening();
        return double;
    };
    try {
        await body({folder, authority, start});
    } catch (error) {
        check('the judge comes to its end', false, error.stack);
    }
    await Promise.all(doubles.map((double) => double.stop()));
    fs.rmSync(folder, {recursive: true});
    process.exit(failures === 0 ? 0 : 1);
}

/** A root, an intermediate below it, and the certificates that the intermediate issues. */
export class Authority {
    constructor(folder) {
        this.folder = fs.mkdtempSync(path.join(folder, 'authority-'));
        const isAuthority = ['basicConstraints=critical,CA:true', 'keyUsage=critical,keyCertSign,cRLSign'];
        this.root = this.#certificate('Judging root', newKey('ec'), isAuthority);
        this.intermediate = this.#certificate('Judging intermediate', newKey('ec'), isAuthority, this.root);
        /** For agents, and as a file for NODE_EXTRA_CA_CERTS and the like. */
        this.ca = this.root.certificate;
        this.caFile = this.#file('ca.pem', this.ca);
    }

    /**
     * Gives {certificate, chain, fullchain, key, names, sha256, key_sha256}: PEM of the leaf, of the
     * intermediate, of both, and of the key (PKCS#8); hex as the doubles keep it. `key` is 'ec' or 'rsa', or
     * a key's PEM.
     */
    issue(names, {key = 'ec', days = 90} = {}) {
        const keyPem = key.startsWith('-----') ? key : newKey(key);
        const alternative = names.map((name) => `${net.isIP(name) ? 'IP' : 'DNS'}:${name}`).join(',');
        const extensions = ['basicConstraints=critical,CA:false', 'keyUsage=critical,digitalSignature',
            'extendedKeyUsage=serverAuth', `subjectAltName=${alternative}`];
        const leaf = this.#certificate(names[0], keyPem, extensions, this.intermediate, days);
        const chain = this.intermediate.certificate;
        return {
            ...leaf, chain, fullchain: leaf.certificate + chain, names,
            sha256: sha256(new crypto.X509Certificate(leaf.certificate).raw),
            key_sha256: sha256(crypto.createPrivateKey(keyPem).export({type: 'pkcs8', format: 'der'})),
        };
    }

    #certificate(commonName, key, extensions, issuer, days = 90) {
        const by = issuer === undefined ? [] : [
            '-CA', this.#file('issuer.pem', issuer.certificate),
            '-CAkey', this.#file('issuer.key', issuer.key)];
        // Of its own: the system's configuration would add extensions.
        const config = this.#file('openssl.cnf', '[req]\ndistinguished_name = name\n[name]\n');
        const certificate = execFileSync('openssl', ['req', '-x509', '-new', '-sha256', '-days', String(days),
            '-config', config, '-subj', `/CN=${commonName}`, '-key', this.#file('subject.key', key), ...by,
            ...extensions.flatMap((extension) => ['-addext', extension])], {encoding: 'utf8'});
        return {certificate, key};
    }

    #file(name, text) {
        const file = path.join(this.folder, name);
        fs.writeFileSync(file, text, {mode: 0o600});
        return file;
    }
}

function newKey(kind) {
    const pair = kind === 'rsa' ? crypto.generateKeyPairSync('rsa', {modulusLength: 2048}) :
        crypto.generateKeyPairSync('ec', {namedCurve: 'prime256v1'});
    return pair.privateKey.export({type: 'pkcs8', format: 'pem'});
}

function sha256(bytes) {
    return crypto.createHash('sha256').update(bytes).digest('hex');
}

/** A double in a process of its own. It ends with the judge at the latest: its standard input does. */
export class RunningDouble {
    constructor(parent, authority, script, settings, {names = []}) {
        this.folder = fs.mkdtempSync(path.join(parent, 'double-'));
        this.ca = authority.ca;
        const server = authority.issue(['127.0.0.1', 'localhost', ...names]);
        this.#write('server.pem', server.fullchain);
        this.#write('server.key', server.key);
        this.#write('double.json', JSON.stringify(settings));
        const file = fileURLToPath(new URL(script, import.meta.url));
        this.process = spawn(process.execPath, [file, this.folder], {stdio: ['pipe', 'pipe', 'inherit']});
        this.ended = once(this.process, 'exit');
    }

    async listening() {
        const lines = readline.createInterface({input: this.process.stdout});
        const [line] = await Promise.race([once(lines, 'line'), this.ended.then(() => [''])]);
        if (!/^\d+$/.test(line)) throw new Error(`no port came from the double, but '${line}'`);
        this.port = Number(line);
        this.origin = `https://127.0.0.1:${this.port}`;
    }

    state() {
        return JSON.parse(fs.readFileSync(path.join(this.folder, 'state.json'), 'utf8'));
    }

    /** What it was sent, without the answers. */
    requests() {
        return this.#lines().filter((line) => 'method' in line);
    }

    answers() {
        return this.#lines().filter((line) => 'answer' in line);
    }

    /** Takes effect with the next request; none end what is asked for. */
    setFaults(faults) {
        this.#write('faults.json.new', JSON.stringify(faults));
        fs.renameSync(path.join(this.folder, 'faults.json.new'), path.join(this.folder, 'faults.json'));
    }

    /**
     * Sends a request that it has recorded once more, with `changes` of {method, url, headers, body}; a
     * header that is undefined is left out. Gives {status, headers, body: text}.
     */
    replay(request, changes = {}) {
        const {body, method, url} = {...request, ...changes};
        const headers = {...request.headers, ...changes.headers};
        if (!('content-length' in (changes.headers ?? {})) && 'content-length' in headers) {
            headers['content-length'] = Buffer.byteLength(body);
        }
        for (const name of Object.keys(headers)) if (headers[name] === undefined) delete headers[name];
        return this.send({method, url, headers, body});
    }

    send({method = 'GET', url = '/', headers = {}, body = ''}) {
        return new Promise((resolve, reject) => {
            // A Host header of another name would be what the certificate is checked for.
            const options = {host: '127.0.0.1', port: this.port, method, path: url, headers, ca: this.ca,
                agent: false, servername: 'localhost'};
            https.request(options, (answer) => textOf(answer).then((text) => {
                resolve({status: answer.statusCode, headers: answer.headers, body: text});
            }, reject)).on('error', reject).end(body);
        });
    }

    async stop() {
        if (this.process.exitCode === null) this.process.kill('SIGTERM');
        await this.ended;
    }

    #write(name, text) {
        fs.writeFileSync(path.join(this.folder, name), text, {mode: 0o600});
    }

    #lines() {
        const file = path.join(this.folder, 'requests.jsonl');
        if (!fs.existsSync(file)) return [];
        return fs.readFileSync(file, 'utf8').split('\n').filter(Boolean).map((line) => JSON.parse(line));
    }
}

async function textOf(stream) {
    let text = '';
    for await (const part of stream.setEncoding('utf8')) text += part;
    return text;
}
