// The double of Alibaba Cloud: Certificate Management Service (CAS 2020-04-07) and CDN (2018-05-10).
//
//     node tests/cdn/alibaba_double.mjs FOLDER
//
// state: {"certificates": {CERT_ID: {"certificate", "sha256", "key_sha256", "name", "resource_id"}},
//         "domains": {NAME: {"cert_id", "cert_name", "cert_type": "cas"|"upload", "ssl_protocol": "on"|"off",
//                            "status": "success"|"checking"}}}
// A domain that never had a certificate has null for the first three. A wildcard domain's name begins with a
// dot. double.json may name the account's site as "region": cn-hangzhou (the default) or ap-southeast-1.
//
// Where the facts come from: parameters, answers and their types from the models of @alicloud/cas20200407 and
// @alicloud/cdn20180510; codes of the gateway from help.aliyun.com (client error codes); of CAS from its page
// of error codes (document_detail/605000); of CDN from the pages of the operations. Where nobody says which
// of the documented codes is given, the choice is marked "assumed".
import crypto from 'node:crypto';
import {Double, Refusal, hash, pairOf, requireOfficial} from './double.mjs';

const {OpenApiUtil} = requireOfficial('@alicloud/openapi-core');

const algorithm = 'ACS3-HMAC-SHA256';
const clockLimit = 15 * 60 * 1000;
const versionOfCas = '2020-04-07';
const versionOfCdn = '2018-05-10';

const integer = /^\d{1,15}$/;
const flag = /^(true|false)$/;
const text = /^/;

/** The methods are those of the official clients, POST for most. `needs` is what the gateway itself asks for: it says so before the product sees the request. */
const operations = {
    UploadUserCertificate: {
        version: versionOfCas, needs: ['Name'], takes: {Name: text, Cert: text, Key: text},
        does: uploadUserCertificate,
    },
    GetUserCertificateDetail: {
        version: versionOfCas, needs: ['CertId'], takes: {CertId: integer, CertFilter: flag},
        does: getUserCertificateDetail,
    },
    ListUserCertificateOrder: {
        version: versionOfCas, needs: [],
        takes: {OrderType: text, Status: text, Keyword: text, CurrentPage: integer, ShowSize: integer},
        does: listUserCertificateOrder,
    },
    DeleteUserCertificate: {
        version: versionOfCas, needs: ['CertId'], takes: {CertId: integer}, does: deleteUserCertificate,
    },
    SetCdnDomainSSLCertificate: {
        version: versionOfCdn, needs: ['DomainName', 'SSLProtocol'],
        takes: {DomainName: text, SSLProtocol: text, CertType: text, CertId: integer, CertName: text,
            CertRegion: text, SSLPub: text, SSLPri: text},
        does: setCdnDomainSslCertificate,
    },
    DescribeDomainCertificateInfo: {
        version: versionOfCdn, needs: ['DomainName'], takes: {DomainName: text},
        does: describeDomainCertificateInfo,
    },
    DescribeCdnDomainDetail: {
        version: versionOfCdn, needs: ['DomainName'], takes: {DomainName: text},
        does: describeCdnDomainDetail,
    },
    DescribeUserDomains: {
        version: versionOfCdn, needs: [],
        takes: {DomainName: text, DomainSearchType: text, PageNumber: integer, PageSize: integer},
        does: describeUserDomains,
    },
    DescribeCertificateInfoByID: {
        method: 'GET', version: versionOfCdn, needs: ['CertId'], takes: {CertId: text},
        does: describeCertificateInfoById,
    },
    ListCloudResources: {
        version: versionOfCas, needs: [],
        takes: {CertIds: text, CloudName: text, CloudProduct: text, CurrentPage: integer, Keyword: text,
            SecretId: text, ShowSize: integer},
        does: listCloudResources,
    },
};

const double = new Double(process.argv[2], {operation, check, handle, failure});
const {settings, state} = double;
const region = settings.region ?? 'cn-hangzhou';
state.certificates ??= {};
state.domains ??= {};
const unbound = {cert_id: null, cert_name: null, cert_type: null, ssl_protocol: 'off', status: 'success'};
for (const [name, domain] of Object.entries(state.domains)) {
    state.domains[name] = {...unbound, ...domain};
    if (domain.cert_id && !(domain.cert_id in state.certificates)) {
        throw new Error(`the certificate of ${name} is not in the state`);
    }
}

/** An id that was deleted never comes back. */
let lastId = Math.max(18_000_000, ...Object.keys(state.certificates).map(Number));

/** What a domain's last binding has seen: {at: ISO time, reads: how often it was asked for since}. */
const bindings = new Map();

double.listen();

function operation({headers}) {
    const name = headers['x-acs-action'];
    return Object.hasOwn(operations, name) ? name : null;
}

function check(request) {
    checkOperation(request);
    checkTime(request.headers['x-acs-date'] ?? '');
    checkSignature(request);
    // Only who may ask has a nonce taken down.
    const nonce = request.headers['x-acs-signature-nonce'];
    if (!nonce) throw new Refusal('IncompleteSignature', 'x-acs-signature-nonce is missing.');
    if (!double.isNew(nonce)) {
        throw new Refusal('SignatureNonceUsed', 'Specified signature nonce was used already.');
    }
}

function checkOperation(request) {
    const name = operation(request);
    if (name === null || request.path !== '/') {
        throw new Refusal('InvalidAction.NotFound',
            'Specified api is not found, please check your url and method.', 404);
    }
    if (request.headers['x-acs-version'] !== operations[name].version) {
        throw new Refusal('InvalidVersion', 'Specified parameter Version is not valid.');
    }
    if (request.method !== (operations[name].method ?? 'POST')) {
        throw new Refusal('UnsupportedHTTPMethod', 'This http method is not supported.');
    }
}

function checkTime(date) {
    const at = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/.test(date) ? Date.parse(date) : NaN;
    if (Number.isNaN(at)) {
        throw new Refusal('InvalidTimeStamp.Format',
            'Specified time stamp or date value is not well formatted.');
    }
    if (Math.abs(at - double.now()) > clockLimit) {
        throw new Refusal('InvalidTimeStamp.Expired', 'Specified time stamp or date value is expired.');
    }
}

/**
 * The official signer signs host, content-type and every x-acs-* header that is there, sorted, so a text
 * equal to its own has all of them signed, and no other.
 */
function checkSignature({method, path, query, headers, body}) {
    const {authorization = ''} = headers;
    const form = /^(\S+) Credential=([^, ]+),SignedHeaders=([^, ]+),Signature=([^, ]+)$/.exec(authorization);
    if (form === null) {
        throw new Refusal('IncompleteSignature', 'The request signature does not conform to standards.');
    }
    const [, usedAlgorithm, keyId] = form;
    if (usedAlgorithm !== algorithm) {
        throw new Refusal('InvalidSignatureMethod', 'Specified signature method is not valid.');
    }
    if (keyId !== settings.access_key_id) {
        throw new Refusal('InvalidAccessKeyId.NotFound', 'Specified access key is not found.', 404);
    }
    checkToken(headers['x-acs-security-token']);
    const hashed = hash(body);
    const signed = {method, pathname: path, query: pairsIn(query), headers};
    const expected = OpenApiUtil.getAuthorization(signed, algorithm, hashed, keyId,
        settings.access_key_secret);
    if (authorization !== expected || headers['x-acs-content-sha256'] !== hashed) {
        throw new Refusal('SignatureDoesNotMatch',
            'Specified signature is not matched with our calculation.');
    }
}

function checkToken(token) {
    if (token === settings.session_token) return;
    if (token === undefined) {
        throw new Refusal('MissingSecurityToken', 'SecurityToken is mandatory for this action.');
    }
    throw new Refusal('InvalidSecurityToken.MismatchWithAccessKey',
        'Specified SecurityToken mismatch with the AccessKey.');
}

function handle(request) {
    const {takes, needs, does} = operations[operation(request)];
    const parameters = parametersOf(request);
    for (const [name, value] of Object.entries(parameters)) {
        // The vendor may overlook it; here a misspelt name is to be seen.
        if (!Object.hasOwn(takes, name)) {
            throw new Refusal('UnsupportedParameter', `The parameter "${name}" is not supported.`);
        }
        if (!takes[name].test(value)) {
            throw new Refusal(`Invalid${name}`, `Specified parameter ${name} is not valid.`);
        }
    }
    for (const name of needs) {
        if (!parameters[name]) throw new Refusal(`Missing${name}`, `${name} is mandatory for this action.`);
    }
    return {body: {RequestId: newRequestId(), ...does(parameters)}};
}

function failure({code, message, status}) {
    const id = newRequestId();
    return {status, body: {RequestId: id, HostId: '127.0.0.1', Code: code, Message: message,
        Recommend: `https://api.aliyun.com/troubleshoot?q=${code}&requestId=${id}`}};
}

function newRequestId() {
    return crypto.randomUUID().toUpperCase();
}

/** Of the query, as the official clients send them, and of a form, which keeps keys out of addresses. */
function parametersOf({query, headers, body}) {
    const inQuery = pairsIn(query);
    if (body.length === 0) return inQuery;
    if (!/^application\/x-www-form-urlencoded(; *charset=utf-8)?$/i.test(headers['content-type'] ?? '')) {
        throw new Refusal('InvalidParameter', 'The body is not a form.');
    }
    const inBody = pairsIn(body.toString());
    for (const name of Object.keys(inBody)) if (name in inQuery) throw twice(name);
    return Object.assign(inQuery, inBody);
}

function pairsIn(encoded) {
    const pairs = Object.create(null);
    for (const pair of encoded.split('&').filter(Boolean)) {
        const [name, ...value] = pair.split('=');
        const decodedName = decoded(name);
        if (decodedName in pairs) throw twice(decodedName);
        pairs[decodedName] = decoded(value.join('='));
    }
    return pairs;
}

function decoded(part) {
    try {
        return decodeURIComponent(part.replaceAll('+', ' '));
    } catch {
        throw new Refusal('InvalidParameter', `'${part}' is not encoded as it has to be.`);
    }
}

function twice(name) {
    return new Refusal('InvalidParameter', `The parameter "${name}" comes twice.`);
}

// Certificate Management Service. On its site for China it answers in Chinese.

function uploadUserCertificate({Name, Cert, Key}) {
    // The model lets all characters be; the newer page has letters, digits and underscores, and an example
    // with a hyphen.
    if (!/^[\w-]{1,64}$/.test(Name)) throw new Refusal('InvalidParameter', '无效参数，请检查参数输入。');
    if (!Cert || !Key) throw new Refusal('MissingParameter', '缺失必填参数，请检查参数输入。');
    if (isNameTaken(Name)) throw new Refusal('NameRepeat', '名称重复，请重新输入。');
    if (!isChain(Cert)) throw new Refusal('ParseCertificateFailed', '解析证书失败，请检查证书内容。');
    const pair = pairOf(Cert, Key);
    // Assumed: no code is known for a key that is broken, or another certificate's.
    if (pair === undefined) throw new Refusal('InvalidParameter', '无效参数，请检查参数输入。');
    const id = keep(Name, pair);
    return {CertId: id, ResourceId: state.certificates[id].resource_id};
}

function getUserCertificateDetail({CertId, CertFilter = 'false'}) {
    const {certificate, name, resource_id} = certificateOf(CertId);
    const leaf = new crypto.X509Certificate(certificate);
    // Where the vendor gives the key back there is a text that has no business in anybody's log.
    const bodies = CertFilter === 'true' ? {} : {Cert: certificate, Key: 'the private key, in PEM'};
    return {...bodies, Id: Number(CertId), Name: name, Common: commonNameOf(leaf), ...factsOf(leaf),
        NotBefore: Date.parse(leaf.validFrom), NotAfter: Date.parse(leaf.validTo), InstanceId: resource_id,
        CertIdentifier: `${CertId}-${region}`, BuyInAliyun: false,
        Algorithm: leaf.publicKey.asymmetricKeyType === 'rsa' ? 'RSA' : 'ECC'};
}

function listUserCertificateOrder({OrderType = 'CPACK', Status = '', Keyword = '', CurrentPage = '1',
    ShowSize = '50'}) {
    // WILLEXPIRED is left out: from when on a certificate is about to expire is not documented.
    const isKnown = ['CPACK', 'BUY', 'UPLOAD', 'CERT'].includes(OrderType) &&
        ['', 'ISSUED', 'EXPIRED'].includes(Status);
    if (!isKnown || Number(CurrentPage) < 1 || Number(ShowSize) < 1) {
        throw new Refusal('InvalidParameter', '无效参数，请检查参数输入。');
    }
    const ids = OrderType === 'CPACK' || OrderType === 'BUY' ? [] : Object.keys(state.certificates);
    const entries = ids.map(listed).reverse()
        // Without a status only those that are valid are given.
        .filter((entry) => entry.Expired === (Status === 'EXPIRED'))
        // It is looked for in names of hosts and of the resource, not in the certificate's own.
        .filter((entry) => entry.Sans.includes(Keyword) || entry.InstanceId.includes(Keyword));
    const page = pageOf(entries, Number(CurrentPage), Number(ShowSize));
    return {CurrentPage: Number(CurrentPage), ShowSize: Number(ShowSize), TotalCount: entries.length,
        CertificateOrderList: page};
}

function listed(id) {
    const {certificate, name, resource_id} = state.certificates[id];
    const leaf = new crypto.X509Certificate(certificate);
    return {CertificateId: Number(id), Name: name, CommonName: commonNameOf(leaf), ...factsOf(leaf),
        InstanceId: resource_id, Upload: true};
}

/** Assumed: that one in use is not deleted, and the code, which is documented for a state that forbids it. */
function deleteUserCertificate({CertId}) {
    certificateOf(CertId);
    if (usersOf(CertId).length > 0) {
        throw new Refusal('InvalidStatus.DeleteProtection', '当前状态不允许删除，请稍后重试。');
    }
    delete state.certificates[CertId];
    for (const domain of Object.values(state.domains)) {
        if (String(domain.cert_id) === CertId) Object.assign(domain, {cert_id: null, cert_name: null});
    }
    return {};
}

function certificateOf(id) {
    if (!Object.hasOwn(state.certificates, id)) {
        throw new Refusal('NotFound', '没有找到必要内容，请检查参数输入。');
    }
    return state.certificates[id];
}

function isNameTaken(name) {
    return Object.values(state.certificates).some((certificate) => certificate.name === name);
}

function keep(name, {certificate, sha256, key_sha256}) {
    lastId += 1;
    const resource_id = `cas-upload-${hash(`${lastId}`).slice(0, 6)}`;
    state.certificates[lastId] = {certificate, sha256, key_sha256, name, resource_id};
    return lastId;
}

/** A leaf and what it was issued by, each by the next, and nothing else. */
function isChain(pem) {
    const block = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;
    const blocks = pem.match(block) ?? [];
    if (blocks.length === 0 || pem.replace(block, '').trim() !== '') return false;
    try {
        const chain = blocks.map((one) => new crypto.X509Certificate(one));
        return chain.slice(1).every((issuer, index) => chain[index].checkIssued(issuer));
    } catch {
        return false;
    }
}

function factsOf(leaf) {
    return {
        Fingerprint: leaf.fingerprint.replaceAll(':', ''),
        Sha2: leaf.fingerprint256.replaceAll(':', ''),
        SerialNo: leaf.serialNumber.toLowerCase(),
        Sans: namesOf(leaf).join(','),
        Issuer: issuerOf(leaf),
        StartDate: isoTime(leaf.validFrom).slice(0, 10),
        EndDate: isoTime(leaf.validTo).slice(0, 10),
        Expired: Date.parse(leaf.validTo) < double.now(),
    };
}

function namesOf(leaf) {
    const names = (leaf.subjectAltName ?? '').split(', ').filter((name) => name.startsWith('DNS:'));
    return names.map((name) => name.slice('DNS:'.length));
}

function commonNameOf(leaf) {
    return /^CN=(.+)$/m.exec(leaf.subject ?? '')?.[1] ?? namesOf(leaf)[0] ?? '';
}

function issuerOf(leaf) {
    return (/^O=(.+)$/m.exec(leaf.issuer) ?? /^CN=(.+)$/m.exec(leaf.issuer))?.[1] ?? '';
}

function isoTime(date) {
    return new Date(date).toISOString().replace(/\.\d+Z$/, 'Z');
}

function pageOf(entries, page, size) {
    return entries.slice((page - 1) * size, page * size);
}

// CDN.

function setCdnDomainSslCertificate(parameters) {
    const domain = domainOf(parameters.DomainName);
    const {SSLProtocol, CertType} = parameters;
    if (SSLProtocol === 'off') {
        domain.ssl_protocol = 'off';
        return {};
    }
    if (SSLProtocol !== 'on') {
        throw new Refusal('InvalidSSLProtocol.ValueNotSupported', 'The specified SSLProtocol is invalid.');
    }
    // Assumed: this code for a type that is not there, and for what belongs to the other type.
    const wrong = new Refusal('SetDomainCertificate.ParameterError', 'The specified parameters are invalid.');
    if (CertType === 'cas') {
        if (!parameters.CertId || parameters.SSLPub || parameters.SSLPri) throw wrong;
        bind(parameters.DomainName, idInCas(parameters), CertType);
    } else if (CertType === 'upload') {
        if (parameters.CertId) throw wrong;
        bind(parameters.DomainName, idOfUpload(parameters), CertType);
    } else {
        throw wrong;
    }
    return {};
}

/**
 * What the given region does not know is taken as if a certificate was to be uploaded, and none was there
 * (help.aliyun.com, "using-terraform-to-add-cdn-domain-name-results-in-https-configuration-error").
 */
function idInCas({CertId, CertRegion = 'cn-hangzhou'}) {
    if (!['cn-hangzhou', 'ap-southeast-1'].includes(CertRegion)) {
        throw new Refusal('Abs.CertRegion.ValueNotSupported', 'CertRegion is not supported.');
    }
    if (CertRegion !== region || !Object.hasOwn(state.certificates, CertId)) {
        throw new Refusal('SSLPri.MissingParameter', 'The SSLPri parameter is required.');
    }
    return Number(CertId);
}

/** Assumed: that what is uploaded here is kept in CAS like any other, and needs no name. */
function idOfUpload({CertName, SSLPub, SSLPri}) {
    if (!SSLPub) throw new Refusal('SSLPub.MissingParameter', 'The SSLPub parameter is required.');
    if (!SSLPri) throw new Refusal('SSLPri.MissingParameter', 'The SSLPri parameter is required.');
    if (CertName?.length > 128) {
        throw new Refusal('InvalidCertName.TooLong',
            'The length of the certificate name cannot exceed 128 characters.');
    }
    if (CertName && isNameTaken(CertName)) {
        throw new Refusal('CertNameAlreadyExists', 'The CertName already exists.');
    }
    if (!isChain(SSLPub)) throw new Refusal('InvalidSSLPub', 'The specified SSLPub is invalid.');
    if (!isPrivateKey(SSLPri)) throw new Refusal('InvalidSSLPri', 'The specified SSLPri is invalid.');
    const pair = pairOf(SSLPub, SSLPri);
    if (pair === undefined) {
        throw new Refusal('Certificate.MissMatch', 'The SSLPri does not match the certificate.');
    }
    checkNotExpired(pair.certificate);
    return keep(CertName || `cdn-${lastId + 1}`, pair);
}

function isPrivateKey(pem) {
    try {
        crypto.createPrivateKey(pem);
        return true;
    } catch {
        return false;
    }
}

function checkNotExpired(certificate) {
    if (Date.parse(new crypto.X509Certificate(certificate).validTo) < double.now()) {
        throw new Refusal('Certificate.Expired', 'The certificate has expired.');
    }
}

/** That the certificate is for the domain nobody asks: CDN knows "mismatch" as a state of its own. */
function bind(domainName, certificateId, type) {
    const {certificate, name} = state.certificates[certificateId];
    checkNotExpired(certificate);
    Object.assign(state.domains[domainName], {cert_id: certificateId, cert_name: name, cert_type: type,
        ssl_protocol: 'on', status: 'checking'});
    bindings.set(domainName, {at: isoTime(double.now()), reads: 0});
}

function describeDomainCertificateInfo({DomainName}) {
    const domain = domainOf(DomainName);
    if (domain.cert_id === null) return {CertInfos: {CertInfo: []}};
    settle(DomainName, domain);
    const {certificate} = state.certificates[domain.cert_id];
    const leaf = new crypto.X509Certificate(certificate);
    const info = {
        DomainName, CertName: domain.cert_name, CertId: String(domain.cert_id),
        CertType: domain.cert_type ?? 'cas', CertRegion: region,
        CertDomainName: commonNameOf(leaf), CertOrg: issuerOf(leaf),
        CertStartTime: isoTime(leaf.validFrom), CertExpireTime: isoTime(leaf.validTo),
        CertUpdateTime: bindings.get(DomainName)?.at ?? isoTime(leaf.validFrom),
        // Assumed: that "the public key of the certificate" is the PEM as it was given, with its chain.
        ServerCertificate: certificate,
        ServerCertificateStatus: domain.ssl_protocol, Status: domain.status, DomainCnameStatus: 'ok',
    };
    return {CertInfos: {CertInfo: [info]}};
}

/** Ends "checking" when it was read often enough. */
function settle(domainName, domain) {
    if (domain.status !== 'checking') return;
    const binding = bindings.get(domainName) ?? {reads: 0};
    if (settings.polls >= 0 && binding.reads >= settings.polls) domain.status = 'success';
    bindings.set(domainName, {...binding, reads: binding.reads + 1});
}

function describeCdnDomainDetail({DomainName}) {
    const domain = domainOf(DomainName);
    return {GetDomainDetailModel: {...descriptionOf(DomainName),
        ServerCertificateStatus: domain.ssl_protocol}};
}

function describeUserDomains({DomainName = '', DomainSearchType = 'full_match', PageNumber = '1',
    PageSize = '20'}) {
    const matches = {
        full_match: (name) => DomainName === '' || name === DomainName,
        fuzzy_match: (name) => name.includes(DomainName),
        pre_match: (name) => name.startsWith(DomainName),
        suf_match: (name) => name.endsWith(DomainName),
    };
    if (!Object.hasOwn(matches, DomainSearchType)) {
        throw new Refusal('InvalidDomainSearchType', 'Specified parameter DomainSearchType is not valid.');
    }
    const [page, size] = [Number(PageNumber), Number(PageSize)];
    if (page < 1 || page > 100_000 || size < 1 || size > 500) {
        throw new Refusal('InvalidParameter', 'The specified page is not valid.');
    }
    const names = Object.keys(state.domains).filter(matches[DomainSearchType]);
    const pageData = pageOf(names, page, size)
        .map((name) => ({...descriptionOf(name), SslProtocol: state.domains[name].ssl_protocol}));
    return {PageNumber: page, PageSize: size, TotalCount: names.length, Domains: {PageData: pageData}};
}

/** Documented: one that no domain has switched on "does not exist"; the list is JSON in a text. */
function describeCertificateInfoById({CertId}) {
    const users = usersOf(CertId);
    if (users.length === 0) throw new Refusal('CertNotExisted', 'The specified certificate does not exist.');
    const {certificate, name} = certificateOf(CertId);
    return {CertInfos: {CertInfo: [{CertId, CertName: name, CertType: 'cas', DomainList: JSON.stringify(users),
        HttpsCrt: certificate}]}};
}

function usersOf(id) {
    return Object.keys(state.domains).filter((name) => {
        return state.domains[name].ssl_protocol === 'on' && String(state.domains[name].cert_id) === id;
    });
}

/** All clouds' resources that certificates of the service are on; here there are domains of CDN alone. */
function listCloudResources({CertIds, CurrentPage = '1', ShowSize = '20'}) {
    let ids = Object.keys(state.certificates);
    if (CertIds !== undefined) {
        const asked = parsedList(CertIds);
        ids = ids.filter((id) => asked.includes(Number(id)));
    }
    const all = ids.flatMap((id) => usersOf(id).map((domain) => ({CertId: Number(id),
        CertName: state.certificates[id].name, CloudName: 'aliyun', CloudProduct: 'CDN', Domain: domain,
        EnableHttps: 1})));
    const [page, size] = [Number(CurrentPage), Number(ShowSize)];
    return {CurrentPage: page, ShowSize: size, Total: all.length, Data: pageOf(all, page, size)};
}

function parsedList(text) {
    try {
        const list = JSON.parse(text);
        if (Array.isArray(list) && list.every(Number.isInteger)) return list;
    } catch {
        // It is said below.
    }
    throw new Refusal('InvalidParameter', 'CertIds is not a list of numbers.');
}

function descriptionOf(name) {
    return {DomainName: name, CdnType: 'web', DomainStatus: 'online', Cname: `${name}.w.kunlunle.com`};
}

function domainOf(name) {
    if (!Object.hasOwn(state.domains, name)) {
        throw new Refusal('InvalidDomain.NotFound', 'The domain provided does not belong to you.', 404);
    }
    return state.domains[name];
}
