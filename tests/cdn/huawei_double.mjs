// The double of Huawei Cloud: SSL Certificate Manager (SCM v3) and CDN (v1.0).
//
//     node tests/cdn/huawei_double.mjs FOLDER
//
// state: {"certificates": {ID: {"certificate", "chain", "sha256", "key_sha256", "name", "status": "UPLOAD"}},
//         "domains": {NAME: {"domain_status", "https": {"https_switch", "certificate_type",
//             "scm_certificate_id", "cert_name", "access_origin_way", "force_redirect_https",
//             "force_redirect_config": {"switch", "redirect_type"}, "http2"}}}}
// An id is 16 characters, as SCM's are: "scs" and 13 digits. A domain's own certificate (certificate_type 0)
// is in its https as "certificate", "sha256" and "key_sha256".
//
// Where the facts come from: paths, parameters and answers from the models of Huawei's SDKs (services/scm/v3,
// services/cdn/v2); limits, defaults and codes from support.huaweicloud.com (api-ccm: ImportCertificate,
// ListCertificates, "SCM Error Codes"; api-cdn: UpdateDomainMultiCertificates, "Error Codes"; devg-apisign:
// the gateway's). That CDN says an error with 200, in `error`: terraform-provider-huaweicloud, Huawei's own.
// What none of them says is marked "assumed".
import crypto from 'node:crypto';
import querystring from 'node:querystring';
import {Double, Refusal, hash, pairOf, requireOfficial} from './double.mjs';
import {certificatesIn, isChain, isFor, namesOf, privateKeyIn} from './pem.mjs';

const {AKSKSigner} = requireOfficial('@huaweicloud/huaweicloud-sdk-core/auth/AKSKSigner');

const clockLimit = 15 * 60 * 1000;
const dayLong = 24 * 3600 * 1000;

const integerIn = (least, most) => (value) => Number.isInteger(value) && value >= least && value <= most;
const textIn = (least, most) => (value) => typeof value === 'string' && value.length >= least &&
    value.length <= most;
const oneOf = (...values) => (value) => values.includes(value);
const like = (pattern) => (value) => typeof value === 'string' && pattern.test(value);
/** In a query, where everything is text. */
const numberIn = (least, most) => (value) => /^\d{1,5}$/.test(value) && integerIn(least, most)(Number(value));
const flag = oneOf('true', 'false');
const project = like(/^(all|0|[0-9a-z]{8}(-[0-9a-z]{4}){3}-[0-9a-z]{12})$/i);

const id = '([^/]+)';
/** `query` and `body` are what may be there, `needs` what has to be. */
const operations = {
    ImportCertificate: {
        route: ['POST', '/v3/scm/certificates/import'], does: importCertificate,
        needs: ['name', 'certificate', 'private_key'],
        // SCM documents duplicate_check in two ways that contradict each other: it is no help to anybody.
        body: {name: like(/^[\w.-]{3,63}$/), certificate: textIn(1, 4096), certificate_chain: textIn(1, 8192),
            private_key: textIn(1, 4096), enterprise_project_id: project},
    },
    ListCertificates: {
        route: ['GET', '/v3/scm/certificates'], does: listCertificates,
        query: {limit: oneOf('10', '20', '50'), offset: numberIn(0, 100), sort_dir: oneOf('ASC', 'DESC'),
            sort_key: oneOf('certExpiredTime', 'certStatus', 'certUpdateTime'),
            status: oneOf('ALL', 'PAID', 'ISSUED', 'CHECKING', 'CANCELCHECKING', 'UNPASSED', 'EXPIRED',
                'REVOKING', 'REVOKED', 'UPLOAD', 'CHECKING_ORG', 'ISSUING', 'SUPPLEMENTCHECKING'),
            content: textIn(1, 255), enterprise_project_id: project},
    },
    ShowCertificate: {route: ['GET', `/v3/scm/certificates/${id}`], does: showCertificate},
    DeleteCertificate: {route: ['DELETE', `/v3/scm/certificates/${id}`], does: deleteCertificate},
    // These give a private key away, or cost money for each domain: nobody here is to call them.
    ExportCertificate: {route: ['POST', `/v3/scm/certificates/${id}/export`], does: refuse},
    DeployCertificate: {route: ['POST', `/v3/scm/certificates/${id}/deploy`], does: refuse},
    PushCertificate: {route: ['POST', `/v3/scm/certificates/${id}/push`], does: refuse},
    BatchPushCertificate: {route: ['POST', `/v3/scm/certificates/${id}/batch-push`], does: refuse},
    ShowCertificatesHttpsInfo: {
        route: ['GET', '/v1.0/cdn/domains/https-certificate-info'], does: showCertificatesHttpsInfo,
        query: {domain_name: textIn(1, 255), page_size: numberIn(1, 10000), page_number: numberIn(1, 65535),
            user_domain_id: textIn(1, 64), enterprise_project_id: project},
    },
    UpdateDomainMultiCertificates: {
        route: ['PUT', '/v1.0/cdn/domains/config-https-info'], does: updateDomainMultiCertificates,
        query: {enterprise_project_id: project}, needs: ['https'], body: {https: isObject},
    },
    ShowDomainDetailByName: {
        route: ['GET', `/v1.0/cdn/configuration/domains/${id}`], does: showDomainDetailByName,
        query: {enterprise_project_id: project},
    },
    ListDomains: {
        route: ['GET', '/v1.0/cdn/domains'], does: listDomains,
        query: {domain_name: textIn(1, 255), exact_match: flag, show_tags: flag,
            business_type: oneOf('web', 'download', 'video', 'wholeSite'),
            domain_status: oneOf('online', 'offline', 'configuring', 'configure_failed', 'checking',
                'check_failed', 'deleting'),
            service_area: oneOf('mainland_china', 'outside_mainland_china', 'global'),
            page_size: numberIn(1, 10000), page_number: numberIn(1, 65535), enterprise_project_id: project},
    },
};

const httpsSettings = {
    domain_name: like(/^[^,\s]+(,[^,\s]+){0,49}$/), https_switch: oneOf(0, 1),
    access_origin_way: oneOf(1, 2, 3), force_redirect_https: oneOf(0, 1), force_redirect_config: isObject,
    http2: oneOf(0, 1),
    cert_name: textIn(3, 64), certificate: textIn(0, 65536), private_key: textIn(0, 65536),
    // 1, a certificate that CDN keeps by itself, can be read and not be set.
    certificate_type: oneOf(0, 2), scm_certificate_id: textIn(0, 64),
};
const redirectSettings = {switch: oneOf(0, 1), redirect_type: oneOf('http', 'https')};

/** What a code comes with. CDN says almost everything with 200. */
const statuses = {
    'APIGW.0101': 404, 'APIGW.0301': 401, 'APIGW.0303': 401, 'APIGW.0308': 429,
    'CDN.0000': 500, 'CDN.0001': 400, 'CDN.0002': 401, 'CDN.0003': 404, 'CDN.0004': 403, 'CDN.0020': 403,
    'CDN.0021': 403,
};

const double = new Double(process.argv[2], {operation, check, handle, failure});
const {settings, state} = double;
state.certificates ??= {};
state.domains ??= {};
for (const domain of Object.values(state.domains)) {
    domain.domain_status ??= 'online';
    domain.https = {https_switch: 0, ...domain.https};
}

/** How often a domain is still to be seen as being configured. */
const readsLeft = new Map();
let lastId = Date.now();

double.listen();

function operation(request) {
    return routeOf(request)?.name ?? null;
}

/** {name, argument}: what is asked for, and of which certificate or domain. */
function routeOf({method, path}) {
    for (const [name, {route: [verb, pattern]}] of Object.entries(operations)) {
        const found = new RegExp(`^${pattern}$`).exec(path);
        if (found !== null && method === verb) return {name, argument: decoded(found[1] ?? '')};
    }
    return undefined;
}

function decoded(text) {
    try {
        return decodeURIComponent(text);
    } catch {
        return text;
    }
}

function check(request) {
    if (operation(request) === null) {
        throw new Refusal('APIGW.0101',
            'The API does not exist or has not been published in the environment');
    }
    checkSignature(request);
}

function checkSignature({method, path, query, headers, body}) {
    const form = /^SDK-HMAC-SHA256 Access=([^,\s]+), SignedHeaders=([a-z0-9;-]+), Signature=[0-9a-f]{64}$/
        .exec(headers.authorization ?? '');
    if (form === null) denied('authorization header is missing or not well formed');
    const [, accessKey, names] = form;
    if (accessKey !== settings.access_key_id) denied('Get secretKey failed');
    checkTime(headers['x-sdk-date']);
    checkToken(headers['x-security-token'], names.split(';'));
    const sent = headers['x-sdk-content-sha256'];
    if (sent !== undefined && sent !== hash(body)) denied('x-sdk-content-sha256 is not that of the body');
    const signed = {};
    for (const name of names.split(';')) signed[nameForSigner[name] ?? name] = headers[name];
    if (!('host' in signed && 'X-Sdk-Date' in signed)) denied('host and x-sdk-date have to be signed');
    const expected = ReceivedSigner.sign({method, headers: signed, queryParams: querystring.parse(query),
        endpoint: `https://double${path.split('/').map(decoded).join('/')}`, received: body}, credential);
    if (headers.authorization !== expected.Authorization) denied('verify aksk signature fail');
}

/** The official signer, which looks headers up by these names, over a body as it was received. */
const nameForSigner = {'x-sdk-date': 'X-Sdk-Date', 'x-sdk-content-sha256': 'X-Sdk-Content-Sha256'};
class ReceivedSigner extends AKSKSigner {
    static buildPayloadHash({received}) {
        return hash(received);
    }
}
const credential = {getAk: () => settings.access_key_id, getSk: () => settings.access_key_secret};

function denied(reason) {
    throw new Refusal('APIGW.0301', `Incorrect IAM authentication information: ${reason}`);
}

function checkTime(date = '') {
    const [, ...parts] = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(date) ?? [];
    const [year, month, day, hour, minute, second] = parts.map(Number);
    const at = Date.UTC(year, month - 1, day, hour, minute, second);
    if (!(Math.abs(at - double.now()) <= clockLimit)) {
        throw new Refusal('APIGW.0303',
            `Incorrect app authentication information: signature expired, signature time:${date}`);
    }
}

/** Temporary keys come with a token that is signed; others come with none. */
function checkToken(token, signedNames) {
    if (token !== settings.session_token) denied('the security token is not that of the access key');
    if (token !== undefined && !signedNames.includes('x-security-token')) denied('the token is not signed');
}

function handle(request) {
    const {name, argument} = routeOf(request);
    const {query, body, needs = [], does} = operations[name];
    checkFields(querystring.parse(request.query), query ?? {}, [], name);
    const content = body === undefined ? undefined : objectIn(request, name);
    if (body !== undefined) checkFields(content, body, needs, name);
    return does({name, argument, query: querystring.parse(request.query), body: content});
}

function objectIn({headers, body}, name) {
    if (!/^application\/json(;\s*charset=utf-8)?$/i.test(headers['content-type'] ?? '')) {
        wrongParameter(name, 'the body is not said to be JSON');
    }
    let content;
    try {
        content = JSON.parse(body.toString());
    } catch {
        // It is said below.
    }
    if (!isObject(content)) wrongParameter(name, 'the body is not a JSON object');
    return content;
}

function isObject(value) {
    return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function checkFields(fields, allowed, needed, name) {
    for (const field of needed) if (!(field in fields)) wrongParameter(name, `${field} is missing`);
    for (const [field, value] of Object.entries(fields)) {
        if (!Object.hasOwn(allowed, field)) wrongParameter(name, `${field} is not known`);
        if (!allowed[field](value)) wrongParameter(name, `${field} is not as it has to be`);
    }
}

function wrongParameter(name, what) {
    const isOfScm = operations[name].route[1].startsWith('/v3/scm/');
    throw new Refusal(isOfScm ? 'SCM.0005' : 'CDN.0001', `Incorrect request parameter. ${what}`);
}

function refuse({name}) {
    process.stderr.write(`huawei_double: ${name} was called, and nobody may\n`);
    throw new Refusal('SCM.0003', `Tenant has no privilege. ${name} is never to be called.`, 403);
}

/** SCM and the gateway say {error_code, error_msg}; CDN has it in `error`. */
function failure({code, message, status}) {
    const said = {error_code: code, error_msg: message};
    const byCode = statuses[code] ?? (code.startsWith('CDN.') ? 200 : 400);
    return {
        status: status === 400 ? byCode : status,
        body: code.startsWith('CDN.') ? {error: said} : {...said, request_id: crypto.randomUUID()},
    };
}

function importCertificate({body}) {
    const given = certificatesIn(body.certificate);
    if (given === undefined) {
        throw new Refusal('SCM.0006', 'The uploaded certificate failed to be resolved. ' +
            'Ensure that the uploaded certificate has been issued.');
    }
    const [leaf] = given;
    if (namesOf(leaf).length === 0) {
        throw new Refusal('SCM.0009',
            'Failed to upload the certificate because no domain name is bound to the certificate.');
    }
    // A chain that is given by itself replaces what follows the leaf.
    const chain = body.certificate_chain === undefined ? given.slice(1) :
        certificatesIn(body.certificate_chain);
    if (chain === undefined) {
        throw new Refusal('SCM.0013', 'The uploaded certificate chain failed to be resolved. ' +
            'Ensure that the certificate has been issued.');
    }
    if (privateKeyIn(body.private_key) === undefined) {
        throw new Refusal('SCM.0012', 'The uploaded private key failed to be resolved. ' +
            'Ensure that the certificate has been issued.');
    }
    const pair = pairOf(leaf.toString(), body.private_key);
    if (pair === undefined) {
        throw new Refusal('SCM.0014', 'The uploaded certificate does not match the private key.');
    }
    const certificateId = newId();
    state.certificates[certificateId] = {certificate: leaf.toString(), chain: chain.join(''),
        sha256: pair.sha256, key_sha256: pair.key_sha256, name: body.name, status: 'UPLOAD'};
    return {body: {certificate_id: certificateId}};
}

function newId() {
    do lastId += 1; while (`scs${lastId}` in state.certificates);
    return `scs${lastId}`;
}

function listCertificates({query}) {
    const {limit = '10', offset = '0', status = 'ALL', content = ''} = query;
    const {sort_dir: direction = 'DESC', sort_key: key = 'certUpdateTime'} = query;
    // They are in the order in which they came.
    const all = Object.entries(state.certificates)
        .map(([certificateId, certificate]) => detailsOf(certificateId, certificate));
    const found = all.filter((details) => (status === 'ALL' || details.status === status) &&
        [details.name, details.domain, details.sans].some((text) => text.includes(content)));
    const compared = {certExpiredTime: 'expire_time', certStatus: 'status'}[key];
    if (compared !== undefined) found.sort((one, other) => one[compared].localeCompare(other[compared]));
    if (direction === 'DESC') found.reverse();
    const shown = found.slice(Number(offset), Number(offset) + Number(limit));
    return {body: {certificates: shown, total_count: found.length}};
}

/** What a list says of a certificate. No time has a zone: assumed to be UTC. */
function detailsOf(certificateId, {certificate, name, status}) {
    const leaf = new crypto.X509Certificate(certificate);
    const [domain, ...others] = namesOf(leaf);
    const months = (Date.parse(leaf.validTo) - Date.parse(leaf.validFrom)) / (30 * dayLong);
    return {
        id: certificateId, name, domain, sans: others.join(';'), type: null, brand: null,
        signature_algorithm: null, deploy_support: true, expire_time: timeOf(leaf.validTo),
        domain_type: domainTypeOf(domain, others), validity_period: Math.round(months), status,
        domain_count: 1 + others.length,
        wildcard_count: [domain, ...others].filter((one) => one.startsWith('*.')).length,
        description: null, enterprise_project_id: '0',
    };
}

function timeOf(date) {
    return new Date(date).toISOString().replace('T', ' ').replace('.000Z', '.0');
}

function domainTypeOf(domain, others) {
    if (others.length > 0) return 'MULTI_DOMAIN';
    return domain.startsWith('*.') ? 'WILDCARD' : 'SINGLE_DOMAIN';
}

/** Assumed: an id of another length is "abnormal", one that is not there "incorrect". */
function certificateOf(certificateId) {
    if (certificateId.length !== 16) throw new Refusal('SCM.0008', 'Abnormal certificate ID');
    if (!Object.hasOwn(state.certificates, certificateId)) {
        throw new Refusal('SCM.0020', 'Incorrect certificate ID.');
    }
    return state.certificates[certificateId];
}

/** There is no PEM in it. The fingerprint is assumed to be the SHA-1, in capitals. */
function showCertificate({argument}) {
    const certificate = certificateOf(argument);
    const leaf = new crypto.X509Certificate(certificate.certificate);
    const {expire_time: notAfter, deploy_support: _, ...details} = detailsOf(argument, certificate);
    return {body: {
        ...details, order_id: null, push_support: 'true', revoke_reason: null, issue_time: null,
        not_before: timeOf(leaf.validFrom), not_after: notAfter, validation_method: null,
        multi_domain_type: null, fingerprint: leaf.fingerprint.replaceAll(':', ''), shared: false,
    }};
}

function deleteCertificate({argument}) {
    certificateOf(argument);
    const isUsed = Object.values(state.domains).some(({https}) => https.scm_certificate_id === argument);
    if (isUsed) {
        // Assumed: no code says of itself that it is about use.
        throw new Refusal('SCM.0010',
            'This operation is not allowed by the current certificate type or status.');
    }
    delete state.certificates[argument];
    return {status: 204, body: ''};
}

/** Domains without HTTPS are not in it. */
function showCertificatesHttpsInfo({query}) {
    const {domain_name: wanted, page_size: size = '30', page_number: page = '1'} = query;
    const bound = Object.entries(state.domains).filter(([name, {https}]) => {
        return https.https_switch === 1 && (wanted === undefined || name === wanted);
    });
    const first = (Number(page) - 1) * Number(size);
    const shown = bound.slice(first, first + Number(size));
    return {body: {total: bound.length, https: shown.map(([name, {https}]) => httpsDetailOf(name, https))}};
}

/**
 * There is no access_origin_way in it: it is in https_status. The model has a private_key too; what it holds
 * nobody says, and here there is no key.
 */
function httpsDetailOf(name, https) {
    const pem = pemOf(https);
    return {
        domain_id: domainIdOf(name), domain_name: name, cert_name: https.cert_name, certificate: pem,
        certificate_type: https.certificate_type, expiration_time: expiryOf(pem),
        https_status: httpsStatusOf(https), force_redirect_https: https.force_redirect_https ?? 0,
        force_redirect_config: https.force_redirect_config ?? {switch: 0}, http2: https.http2 ?? 0,
    };
}

function pemOf(https) {
    if (https.certificate_type !== 2) return https.certificate;
    const {certificate, chain} = state.certificates[https.scm_certificate_id];
    return certificate + (chain ?? '');
}

function expiryOf(pem) {
    return Date.parse(new crypto.X509Certificate(pem).validTo);
}

/** 0 off; else how the origin is asked: 1 as the visitor asked, 2 by HTTP, 3 by HTTPS. */
function httpsStatusOf({https_switch: isOn, access_origin_way: way = 2}) {
    return isOn === 1 ? way : 0;
}

function domainIdOf(name) {
    return hash(name).slice(0, 32);
}

/** What is left out goes back to its default, and so does what the domain had before. */
function updateDomainMultiCertificates({name, body: {https: asked}}) {
    checkFields(asked, httpsSettings, ['domain_name', 'https_switch'], name);
    if (asked.force_redirect_config !== undefined) {
        checkFields(asked.force_redirect_config, redirectSettings, ['switch'], name);
    }
    const names = asked.domain_name.split(',');
    for (const one of names) checkDomain(one);
    const set = {https_switch: asked.https_switch, access_origin_way: asked.access_origin_way ?? 2,
        ...redirectOf(asked), http2: asked.http2 ?? 0};
    if (asked.https_switch === 1) Object.assign(set, certificateToBind(name, asked, names));
    for (const one of names) {
        state.domains[one].https = structuredClone(set);
        // As many reads as are asked for see it still going on; -1: all of them.
        if (settings.polls !== 0) state.domains[one].domain_status = 'configuring';
        readsLeft.set(one, settings.polls);
    }
    return {body: {https: answerOf(asked, set), status: 'success',
        result: names.map((one) => ({domain_name: one, status: 'success', reason: null}))}};
}

function checkDomain(name) {
    if (!Object.hasOwn(state.domains, name)) {
        throw new Refusal('CDN.0105', 'The acceleration domain name does not exist.');
    }
    if (state.domains[name].domain_status !== 'online') {
        throw new Refusal('CDN.0106',
            'This operation is not supported by the domain name in the current state.');
    }
}

/** force_redirect_https is on its way out; read, it may be 2 (to HTTP), which cannot be set. */
function redirectOf({force_redirect_https: old = 0, force_redirect_config: asked}) {
    const {switch: isOn, redirect_type: to = 'https'} = asked ?? {switch: old};
    if (isOn === 0) return {force_redirect_https: 0, force_redirect_config: {switch: 0}};
    return {force_redirect_https: to === 'https' ? 1 : 2,
        force_redirect_config: {switch: 1, redirect_type: to}};
}

function certificateToBind(name, asked, names) {
    if (asked.cert_name === undefined) wrongParameter(name, 'cert_name is missing');
    const bound = asked.certificate_type === 2 ? managed(name, asked) : own(asked);
    const chain = certificatesIn(pemOf(bound));
    checkChain(chain, names);
    return {cert_name: asked.cert_name, ...bound};
}

/** Assumed: the codes for an id that is not there, and for a key where none has a place. */
function managed(name, {scm_certificate_id: certificateId, certificate, private_key: key}) {
    if (certificate !== undefined || key !== undefined) {
        wrongParameter(name, 'a certificate of SCM comes without certificate and private_key');
    }
    if (!certificateId) wrongParameter(name, 'scm_certificate_id is missing');
    if (!Object.hasOwn(state.certificates, certificateId)) {
        throw new Refusal('CDN.0407', 'The certificate is incorrect.');
    }
    if (!['UPLOAD', 'ISSUED'].includes(state.certificates[certificateId].status)) {
        throw new Refusal('CDN.0411', 'The certificate status is incorrect.');
    }
    return {certificate_type: 2, scm_certificate_id: certificateId};
}

function own({certificate, private_key: key}) {
    if (!certificate || !key) {
        throw new Refusal('CDN.0402', 'The certificate or private key cannot be left blank.');
    }
    if (certificatesIn(certificate) === undefined) {
        throw new Refusal('CDN.0403', 'The certificate must be in the PEM format.');
    }
    if (privateKeyIn(key) === undefined) {
        throw new Refusal('CDN.0404', 'The private key must be in the PEM format.');
    }
    const pair = pairOf(certificate, key);
    if (pair === undefined) throw new Refusal('CDN.0405', 'The certificate and private key do not match.');
    return {certificate_type: 0, certificate, sha256: pair.sha256, key_sha256: pair.key_sha256};
}

function checkChain(chain, names) {
    const [leaf] = chain;
    if (!names.every((one) => isFor(leaf, one))) {
        throw new Refusal('CDN.0406', 'The certificate and domain name do not match.');
    }
    const left = Date.parse(leaf.validTo) - double.now();
    if (left < 0) throw new Refusal('CDN.0408', 'The certificate has expired.');
    if (left < dayLong) throw new Refusal('CDN.0409', 'The certificate will expire within 24 hours.');
    if (Date.parse(leaf.validFrom) > double.now()) {
        throw new Refusal('CDN.0413', 'The certificate has not taken effect.');
    }
    // A missing chain is completed; one that leads elsewhere is not.
    if (!isChain(chain)) throw new Refusal('CDN.0410', 'The certificate chain cannot be completed.');
}

function answerOf({domain_name: names}, set) {
    const {sha256: _, key_sha256: __, scm_certificate_id: ___, ...shown} = set;
    if (set.https_switch === 0) return {domain_name: names, ...shown};
    const pem = pemOf(set);
    return {domain_name: names, ...shown, certificate: pem, expiration_time: expiryOf(pem)};
}

function showDomainDetailByName({argument}) {
    if (!Object.hasOwn(state.domains, argument)) {
        throw new Refusal('CDN.0105', 'The acceleration domain name does not exist.');
    }
    return {body: {domain: domainDetailOf(argument)}};
}

/** The name is looked for anywhere in the domains' names. */
function listDomains({query}) {
    const {domain_name: wanted = '', exact_match: exact, domain_status: status} = query;
    const {page_size: size = '30', page_number: page = '1'} = query;
    const named = Object.keys(state.domains)
        .filter((name) => exact === 'true' ? name === wanted : name.includes(wanted));
    const found = named.map(domainDetailOf).filter((domain) => {
        return (status === undefined || domain.domain_status === status) &&
            ['business_type', 'service_area'].every((key) => [undefined, domain[key]].includes(query[key]));
    });
    const first = (Number(page) - 1) * Number(size);
    return {body: {total: found.length, domains: found.slice(first, first + Number(size))}};
}

function domainDetailOf(name) {
    return {
        id: domainIdOf(name), domain_name: name, business_type: 'web', domain_status: statusOf(name),
        cname: `${name}.cdnhwc1.com`, sources: [], https_status: httpsStatusOf(state.domains[name].https),
        disabled: 0, locked: 0, service_area: 'global',
    };
}

/** Counts as a read. */
function statusOf(name) {
    const domain = state.domains[name];
    if (domain.domain_status === 'configuring') {
        const left = readsLeft.get(name) ?? settings.polls;
        if (left === 0) domain.domain_status = 'online';
        if (left > 0) readsLeft.set(name, left - 1);
    }
    return domain.domain_status;
}
