// The double of Cloudflare: custom certificates of zones (client/v4).
//
//     node tests/cdn/cloudflare_double.mjs FOLDER
//
// state: {"zones": {ZONE_ID: {"certificates": {ID: {"certificate", "sha256", "key_sha256", "hosts", "issuer",
//             "status", "bundle_method", "type", "expires_on", "uploaded_on", "modified_on", "priority"}},
//         "quota": most custom certificates (default 1), ["name": the zone's domain]}}}
// A zone's id is 32 hex digits, a certificate's is that or a UUID. "certificate" is what was uploaded, with
// the chain behind the leaf. Where a zone has a name, a certificate has to be for a host in it.
// double.json may have besides:
//     "keep_id": true        a PATCH of sni_custom keeps the id
//     "public": false        Cloudflare does not trust the certificates' authority: only "force" takes them
//     "gone_status": 400     what a PATCH of an id that is not there comes with (default 404)
//
// Where the facts come from: paths, parameters and answers from the official package `cloudflare` and from
// Cloudflare's OpenAPI (page sizes, statuses); codes 1002, 1212, 1220, 2100, 2101, 2103, 2106 and 2200 and
// the rules for certificates from cloudflare-docs (ssl/edge-certificates/custom-certificates:
// troubleshooting, uploading, bundling-methodologies); 1206, 2001, 6003, 7000, 7003, 9106 and 404 for an id
// that is gone from answers in the trackers of terraform-provider-cloudflare and cloudflare-go. What none of
// them says is marked "assumed".
import crypto from 'node:crypto';
import querystring from 'node:querystring';
import {Double, Refusal, hash} from './double.mjs';
import {certificatesIn, isChain, isSameKey, namesOf, privateKeyIn} from './pem.mjs';

const dayLong = 24 * 3600 * 1000;
const leastDays = 14;

const oneOf = (...values) => (value) => values.includes(value);
const isText = (value) => typeof value === 'string' && value !== '';
const numberIn = (least, most) => (value) => /^\d{1,9}$/.test(value) && Number(value) >= least &&
    Number(value) <= most;
const bundleMethod = oneOf('ubiquitous', 'optimal', 'force');
const region = (value) => isObject(value) && Object.keys(value).join() === 'label' &&
    ['us', 'eu', 'highest_security'].includes(value.label);

const zones = '/client/v4/zones/([^/]+)/custom_certificates';
/** `policy`, `custom_csr_id` and the staging environment are not played here. */
const operations = {
    VerifyToken: {route: ['GET', '/client/v4/user/tokens/verify'], does: verifyToken},
    PrioritizeCustomCertificates: {
        route: ['PUT', `${zones}/prioritize`], does: prioritize,
        needs: ['certificates'], body: {certificates: Array.isArray},
    },
    ListCustomCertificates: {
        route: ['GET', zones], does: list,
        query: {page: numberIn(1, 999_999_999), per_page: numberIn(5, 50), match: oneOf('any', 'all'),
            status: oneOf('active', 'expired', 'deleted', 'pending', 'initializing')},
    },
    CreateCustomCertificate: {
        route: ['POST', zones], does: create, needs: ['certificate', 'private_key'],
        body: {certificate: isText, private_key: isText, bundle_method: bundleMethod,
            type: oneOf('legacy_custom', 'sni_custom'), geo_restrictions: region,
            deploy: oneOf('production')},
    },
    GetCustomCertificate: {route: ['GET', `${zones}/([^/]+)`], does: get},
    EditCustomCertificate: {
        route: ['PATCH', `${zones}/([^/]+)`], does: edit,
        body: {certificate: isText, private_key: isText, bundle_method: bundleMethod,
            geo_restrictions: region, deploy: oneOf('production')},
    },
    DeleteCustomCertificate: {route: ['DELETE', `${zones}/([^/]+)`], does: remove},
};

/** What a code comes with where nothing else is said. */
const statuses = {1000: 401, 7000: 404, 7003: 404, 9109: 403, 10000: 403};

const double = new Double(process.argv[2], {operation, check, handle, failure});
const {settings, state} = double;
state.zones ??= {};
for (const zone of Object.values(state.zones)) {
    zone.certificates ??= {};
    zone.quota ??= 1;
}

/** How often a certificate is still to be seen as pending. */
const readsLeft = new Map();

double.listen();

function operation(request) {
    return routeOf(request)?.name ?? null;
}

/** {name, zoneId, id}: what is asked for, and of which zone and certificate. */
function routeOf({method, path}) {
    for (const [name, {route: [verb, pattern]}] of Object.entries(operations)) {
        const found = new RegExp(`^${pattern}$`).exec(path);
        if (found !== null && method === verb) return {name, zoneId: found[1], id: found[2]};
    }
    return undefined;
}

function check(request) {
    checkToken(request);
    const route = routeOf(request);
    if (route === undefined) throw new Refusal(7000, 'No route for that URI');
    const isWrong = (id, form) => id !== undefined && !form.test(id);
    if (isWrong(route.zoneId, /^[0-9a-f]{32}$/) ||
        isWrong(route.id, /^([0-9a-f]{32}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12})$/)) {
        throw new Refusal(7003,
            `Could not route to ${request.path}, perhaps your object identifier is invalid?`);
    }
}

/** Assumed: which of the codes for a token come with 401, and which with 403. */
function checkToken(request) {
    const {authorization} = request.headers;
    if (authorization === undefined) {
        throw new Refusal(9106, 'Missing X-Auth-Key, X-Auth-Email or Authorization headers');
    }
    const [, token] = /^Bearer ([\w.-]+)$/.exec(authorization) ?? [];
    if (token === undefined) throw invalidHeaders(6111, 'Invalid format for Authorization header');
    if (token === settings.token) return;
    if (operation(request) === 'VerifyToken') throw new Refusal(1000, 'Invalid API Token');
    throw new Refusal(10000, 'Authentication error');
}

function invalidHeaders(code, message) {
    const refusal = new Refusal(6003, 'Invalid request headers');
    refusal.chain = [{code, message}];
    return refusal;
}

function handle(request) {
    const {name, zoneId, id} = routeOf(request);
    const {query, body, needs = [], does} = operations[name];
    const asked = querystring.parse(request.query);
    checkFields(asked, query ?? {}, []);
    const content = body === undefined ? undefined : objectIn(request);
    if (body !== undefined) checkFields(content, body, needs);
    if (zoneId !== undefined && !Object.hasOwn(state.zones, zoneId)) {
        // Assumed: as for a resource that the token does not reach.
        throw new Refusal(9109, 'Unauthorized to access requested resource');
    }
    const {result, ...more} = does({zone: state.zones[zoneId], zoneId, id, query: asked, body: content});
    return {body: {result, success: true, errors: [], messages: [], ...more}};
}

function objectIn({headers, body}) {
    if (!/^application\/json(;.*)?$/i.test(headers['content-type'] ?? '')) {
        throw invalidHeaders(6105, 'Invalid Content-Type header, valid values are ' +
            'application/json,multipart/form-data');
    }
    let content;
    try {
        content = JSON.parse(body.toString());
    } catch {
        // It is said below.
    }
    if (!isObject(content)) throw wrongParameter('the body is not a JSON object');
    return content;
}

function isObject(value) {
    return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function checkFields(fields, allowed, needed) {
    for (const field of needed) if (!(field in fields)) throw wrongParameter(`${field} is missing`);
    for (const [field, value] of Object.entries(fields)) {
        if (!Object.hasOwn(allowed, field)) throw wrongParameter(`${field} is not known`);
        if (!allowed[field](value)) throw wrongParameter(`${field} is not as it has to be`);
    }
}

function wrongParameter(what) {
    return new Refusal(2001,
        `Could not complete the requested operation. Invalid or missing parameters. (${what})`);
}

/** A code may come as text from what a test asks for. A limit says when there is more. */
function failure({code, message, status: asked, chain}) {
    const error = {code: Number(code), message};
    if (chain !== undefined) error.error_chain = chain;
    const answered = asked === 400 ? statuses[code] ?? 400 : asked;
    return {
        status: answered, headers: answered === 429 ? {'retry-after': '1'} : {},
        body: {result: null, success: false, errors: [error], messages: []},
    };
}

function verifyToken() {
    return {
        result: {id: hash(settings.token).slice(0, 32), status: 'active'},
        messages: [{code: 10000, message: 'This API Token is valid and active', type: null}],
    };
}

/** Each that is looked at counts as read. A page behind the last is empty; total_count is of all. */
function list({zone, zoneId, query}) {
    const {page = '1', per_page: size = '20', status: wanted} = query;
    const all = Object.keys(zone.certificates).map((id) => seen(zone, zoneId, id));
    const found = all.filter((one) => wanted === undefined || one.status === wanted);
    const first = (Number(page) - 1) * Number(size);
    const shown = found.slice(first, first + Number(size));
    return {result: shown, result_info: {page: Number(page), per_page: Number(size), count: shown.length,
        total_count: all.length}};
}

function get({zone, zoneId, id}) {
    certificateOf(zone, id);
    return {result: seen(zone, zoneId, id)};
}

/** The code is documented for a PATCH; for the others it is assumed to be the same. */
function certificateOf(zone, id, code = 404) {
    if (!Object.hasOwn(zone.certificates, id)) throw new Refusal(1002, 'Invalid certificate.', code);
    return zone.certificates[id];
}

/** What an answer says of a certificate. Its type is not in it, nor anything of its content. */
function seen(zone, zoneId, id) {
    const certificate = zone.certificates[id];
    if (['pending', 'initializing'].includes(certificate.status)) {
        const left = readsLeft.get(id) ?? settings.polls;
        if (left === 0) certificate.status = 'active';
        if (left > 0) readsLeft.set(id, left - 1);
    }
    return shownOf(certificate, zoneId, id);
}

function shownOf(certificate, zoneId, id) {
    const {certificate: _pem, sha256: _leaf, key_sha256: _key, type: _type, ...shown} = certificate;
    return {id, zone_id: zoneId, ...shown};
}

function create({zone, zoneId, body}) {
    const {bundle_method: method = 'ubiquitous', type = 'legacy_custom', geo_restrictions: where} = body;
    const facts = factsOf(zone, undefined, body.certificate, body.private_key, method);
    if (Object.keys(zone.certificates).length >= zone.quota) {
        throw new Refusal(1212, 'You have reached the maximum number of custom certificates.');
    }
    return added(zone, zoneId, crypto.randomUUID(), {...facts, type, bundle_method: method,
        priority: 0, ...(where && {geo_restrictions: where})});
}

/**
 * What is left out of the pair stays; a bundle_method that is left out goes back to its default, as
 * terraform-provider-cloudflare#5454 has it. sni_custom: a new id, and the old one is gone at once.
 */
function edit({zone, zoneId, id, body}) {
    const old = certificateOf(zone, id, settings.gone_status ?? 404);
    if (Object.keys(body).length === 0) throw wrongParameter('there is nothing to change');
    const {bundle_method: method = 'ubiquitous', certificate = old.certificate, private_key: key} = body;
    const facts = factsOf(zone, id, certificate, key, method);
    const keepsId = old.type === 'legacy_custom' || settings.keep_id === true;
    delete zone.certificates[id];
    return added(zone, zoneId, keepsId ? id : crypto.randomUUID(), {...old, ...facts, bundle_method: method,
        ...(body.geo_restrictions && {geo_restrictions: body.geo_restrictions})});
}

/** As many reads as are asked for see it pending; -1: all of them. */
function added(zone, zoneId, id, certificate) {
    const now = time(double.now());
    zone.certificates[id] = {...certificate, status: settings.polls === 0 ? 'active' : 'pending',
        uploaded_on: now, modified_on: now};
    readsLeft.set(id, settings.polls);
    return {result: shownOf(zone.certificates[id], zoneId, id)};
}

function remove({zone, id}) {
    certificateOf(zone, id);
    delete zone.certificates[id];
    return {result: {id}};
}

function prioritize({zone, zoneId, body}) {
    for (const one of body.certificates) {
        if (!isObject(one)) throw wrongParameter('a certificate is not an object');
        checkFields(one, {id: isText, priority: Number.isInteger}, ['id', 'priority']);
        certificateOf(zone, one.id);
    }
    for (const {id, priority} of body.certificates) {
        Object.assign(zone.certificates[id], {priority, modified_on: time(double.now())});
    }
    const all = Object.entries(zone.certificates);
    all.sort(([, one], [, other]) => other.priority - one.priority);
    return {result: all.map(([id, certificate]) => shownOf(certificate, zoneId, id))};
}

/** Of a certificate that may take the place of `id`; without a key it is to fit the one that is there. */
function factsOf(zone, id, pem, keyPem, method) {
    const chain = certificatesIn(pem);
    if (chain === undefined) throw new Refusal(1002, 'Invalid certificate.');
    const [leaf] = chain;
    if (leaf.ca && !(chain.length === 1 && isSelfSigned(leaf))) {
        throw new Refusal(2101, 'The certificate chain you uploaded has no leaf certificates. ' +
            'Please check your input and try again.');
    }
    const facts = {certificate: pem, sha256: hash(leaf.raw), hosts: namesOf(leaf), issuer: issuerOf(leaf),
        expires_on: time(leaf.validTo), key_sha256: keyOf(leaf, keyPem, zone.certificates[id])};
    checkLeaf(leaf, facts.hosts, zone.name);
    checkBundle(chain, method);
    const others = Object.entries(zone.certificates).filter(([other]) => other !== id);
    if (others.some(([, {sha256}]) => sha256 === facts.sha256)) {
        throw new Refusal(1220, 'This certificate has already been submitted.');
    }
    return facts;
}

/** An EC key's parameters have to be removed, so that the key is all there is. */
function keyOf(leaf, keyPem, old) {
    const noPair = new Refusal(2200, 'The certificate and private key pair you uploaded is invalid.');
    if (keyPem === undefined) {
        const [before] = certificatesIn(old.certificate);
        if (!isSameKey(leaf.publicKey, before.publicKey)) throw noPair;
        return old.key_sha256;
    }
    const key = privateKeyIn(keyPem);
    if (key === undefined || isShort(key)) {
        throw new Refusal(2106, 'The private key you uploaded is invalid. ' +
            'Please check your input and try again.');
    }
    if (!isSameKey(leaf.publicKey, crypto.createPublicKey(key))) throw noPair;
    return hash(key.export({type: 'pkcs8', format: 'der'}));
}

/** Less than 2048 bits of RSA; every curve that openssl still takes is long enough. */
function isShort(key) {
    return key.asymmetricKeyType === 'rsa' && key.asymmetricKeyDetails.modulusLength < 2048;
}

function checkLeaf(leaf, hosts, domain) {
    const isOfZone = (host) => domain === undefined || host === domain || host.endsWith(`.${domain}`);
    if (!hosts.some(isOfZone)) {
        throw new Refusal(2103, 'The certificate chain you uploaded does not include any hostnames from ' +
            'your zone. Please check your input and try again.');
    }
    if (Date.parse(leaf.validTo) - double.now() < leastDays * dayLong) {
        throw new Refusal(1206, 'The certificate will expire within soon. Please supply a newer one');
    }
}

/** A chain is completed by Cloudflare, without a root in it, or else taken as it is. */
function checkBundle(chain, method) {
    const isPublic = settings.public !== false && !chain.some(isSelfSigned);
    if (!isChain(chain) || !(isPublic || method === 'force')) {
        throw new Refusal(2100, 'The certificate chain you uploaded cannot be bundled using ' +
            'Cloudflare\'s trust store. Please check your input and try again.');
    }
}

function isSelfSigned({subject, issuer}) {
    return subject === issuer;
}

/** As "CN=R3\nO=Let's Encrypt" has it, the organisation where there is one. */
function issuerOf(leaf) {
    const parts = Object.fromEntries(leaf.issuer.split('\n').map((part) => part.split('=', 2)));
    return parts.O ?? parts.CN;
}

function time(at) {
    return new Date(at).toISOString().replace(/\.\d+Z$/, 'Z');
}
