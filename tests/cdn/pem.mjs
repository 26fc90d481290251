// PEM as vendors read it: certificates with the leaf first, and one private key that no password protects.
import crypto from 'node:crypto';

const block = /-----BEGIN ([A-Z0-9 ]+)-----[A-Za-z0-9+/=\s]+-----END \1-----/g;

/** The certificates of a text that holds nothing else, or undefined. */
export function certificatesIn(pem) {
    const blocks = blocksOf(pem);
    if (blocks.length === 0 || blocks.some(({label}) => label !== 'CERTIFICATE')) return undefined;
    return parsed(() => blocks.map(({text}) => new crypto.X509Certificate(text)));
}

/** The key of a text that holds one, and nothing else, or undefined. */
export function privateKeyIn(pem) {
    const blocks = blocksOf(pem);
    if (blocks.length !== 1) return undefined;
    return parsed(() => crypto.createPrivateKey(blocks[0].text));
}

/** None where there is anything but blocks. */
function blocksOf(pem) {
    const text = String(pem);
    if (text.replace(block, '').trim() !== '') return [];
    return [...text.matchAll(block)].map(([found, label]) => ({label, text: found}));
}

function parsed(parse) {
    try {
        return parse();
    } catch {
        return undefined;
    }
}

/** The DNS names that a certificate is for. */
export function namesOf(certificate) {
    const names = (certificate.subjectAltName ?? '').split(', ');
    return names.filter((name) => name.startsWith('DNS:')).map((name) => name.slice(4).toLowerCase());
}

/** Whether a certificate is for a name, which may be a wildcard itself. */
export function isFor(certificate, name) {
    const [, ...parents] = name.split('.');
    return namesOf(certificate).some((own) => own === name || own === `*.${parents.join('.')}`);
}

/** Whether each is issued by the one after it. */
export function isChain(certificates) {
    return certificates.every((certificate, at) => at + 1 === certificates.length ||
        certificate.checkIssued(certificates[at + 1]));
}

/**
 * Whether two public keys are one. Where they are not, X509Certificate.checkPrivateKey leaves an error behind
 * in OpenSSL, and a TLS connection of this process breaks off because of it.
 */
export function isSameKey(one, other) {
    const [bytes, otherBytes] = [one, other].map((key) => key.export({type: 'spki', format: 'der'}));
    return bytes.equals(otherBytes);
}
