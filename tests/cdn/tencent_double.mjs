// The double of Tencent Cloud: its SSL service (2019-12-05) and its CDN (2018-06-06), on one port.
//
// What it answers and refuses is in the models of tencentcloud-sdk-nodejs (ssl_models.d.ts, cdn_models.d.ts),
// in the examples of Tencent's own command line (tencentcloud-cli, tccli/examples) and in the error codes
// that tencentcloud-sdk-go lists for each action. Parameters that the vendor has and nothing here needs are
// refused as unknown; null is refused too, as the vendor's clients never send it.
import crypto from 'node:crypto';
import builtinUrl from 'node:url';
import {Double, Refusal, hash, pairOf, requireOfficial} from './double.mjs';
import {certificatesIn, isChain, isFor, namesOf, privateKeyIn} from './pem.mjs';

const {sign3} = requireOfficial('tencentcloud-sdk-nodejs/tencentcloud/common/sign.js').default;

const versions = {ssl: '2019-12-05', cdn: '2018-06-06'};

// The shapes of parameters: a kind, '!' where it has to be there; [kind] for a list; an object for an object.
// Https.SslStatus is there to be read alone.
const httpsShape = {
    Switch: 'switch!', Http2: 'switch', OcspStapling: 'switch', VerifyClient: 'switch', Spdy: 'switch',
    CertInfo: {CertId: 'string', CertName: 'string', ExpireTime: 'string', DeployTime: 'string',
        Message: 'string', From: 'string'},
    ClientCertInfo: {Certificate: 'string!', CertName: 'string', ExpireTime: 'string', DeployTime: 'string'},
    Hsts: {Switch: 'switch!', MaxAge: 'integer', IncludeSubDomains: 'switch'},
    TlsVersion: ['string'],
};
const domainsShape = {Offset: 'integer', Limit: 'integer',
    Filters: [{Name: 'string!', Value: ['string'], Fuzzy: 'boolean'}]};

const actions = {
    UploadCertificate: {service: 'ssl', does: uploadCertificate, takes: {CertificatePublicKey: 'string!',
        CertificatePrivateKey: 'string', CertificateType: 'string', Alias: 'string', Repeatable: 'boolean'}},
    DescribeCertificateDetail: {service: 'ssl', does: describeCertificateDetail,
        takes: {CertificateId: 'string!'}},
    DescribeCertificates: {service: 'ssl', does: describeCertificates, takes: {Offset: 'integer',
        Limit: 'integer', SearchKey: 'string', CertificateType: 'string', FilterSource: 'string'}},
    DeleteCertificate: {service: 'ssl', does: deleteCertificate,
        takes: {CertificateId: 'string!', IsCheckResource: 'boolean'}},
    DescribeDeleteCertificatesTaskResult: {service: 'ssl', does: describeDeleteCertificatesTaskResult,
        takes: {TaskIds: ['string']}},
    DeployCertificateInstance: {service: 'ssl', does: deployCertificateInstance, takes: {
        CertificateId: 'string!', InstanceIdList: ['string'], ResourceType: 'string', Status: 'integer',
        IsCache: 'integer'}},
    DescribeHostDeployRecordDetail: {service: 'ssl', does: describeHostDeployRecordDetail,
        takes: {DeployRecordId: 'string!', Offset: 'integer', Limit: 'integer'}},
    DescribeDomains: {service: 'cdn', does: describeDomains, takes: domainsShape},
    DescribeDomainsConfig: {service: 'cdn', does: describeDomainsConfig, takes: domainsShape},
    UpdateDomainConfig: {service: 'cdn', does: updateDomainConfig,
        takes: {Domain: 'string!', Https: httpsShape}},
    ModifyDomainConfig: {service: 'cdn', does: modifyDomainConfig,
        takes: {Domain: 'string!', Route: 'string!', Value: 'string!'}},
};

const double = new Double(process.argv[2], {
    operation: (request) => request.headers['x-tc-action'] ?? null,
    check,
    handle(request) {
        const action = actions[request.headers['x-tc-action']];
        return {body: answerOf(action.does(parametersOf(request, action.takes)))};
    },
    failure({code, message, status}) {
        // A refusal of the vendor's comes with 200; another status is one that a test asks for.
        return {status: status === 400 ? 200 : status,
            body: answerOf({Error: {Code: code, Message: message}})};
    },
});
const state = Object.assign(double.state, {certificates: {}, domains: {}, deployments: {}, ...double.state});
const reads = new Map();

double.listen();

function answerOf(result) {
    return {Response: {...result, RequestId: crypto.randomUUID()}};
}

// Believing a request

function check(request) {
    checkProtocol(request);
    const claim = claimOf(request.headers.authorization);
    const timestamp = Number(request.headers['x-tc-timestamp']);
    if (!(Math.abs(double.now() / 1000 - timestamp) <= 300)) {
        throw new Refusal('AuthFailure.SignatureExpire', 'The signature is expired');
    }
    if (claim.secretId !== double.settings.access_key_id) {
        throw new Refusal('AuthFailure.SecretIdNotFound', `There is no SecretId ${claim.secretId}`);
    }
    if (request.headers['x-tc-token'] !== double.settings.session_token) {
        throw new Refusal('AuthFailure.TokenFailure', 'The token is wrong, missing, or one too many');
    }
    if (claim.date !== dateOf(timestamp) || claim.signature !== signatureOf(request, claim, timestamp)) {
        throw new Refusal('AuthFailure.SignatureFailure', 'The signature is not what it should be');
    }
    checkAction(request.headers, claim.service);
}

function checkProtocol({method, path, query, headers}) {
    if (method !== 'POST') throw new Refusal('UnsupportedProtocol', `${method} is not played here`);
    if (path !== '/' || query !== '') {
        throw new Refusal('InvalidParameter', 'The path is /, and parameters are in the body');
    }
    if (!/^application\/json(; ?charset=utf-8)?$/.test(headers['content-type'])) {
        throw new Refusal('InvalidParameter', `A body of ${headers['content-type']} is not played here`);
    }
    for (const name of ['x-tc-action', 'x-tc-version', 'x-tc-timestamp']) {
        if (!(name in headers)) throw new Refusal('MissingParameter', `${name} is missing`);
    }
    if (!/^\d+$/.test(headers['x-tc-timestamp'])) {
        throw new Refusal('InvalidParameter', 'X-TC-Timestamp is no number of seconds');
    }
}

/** What Authorization says. */
function claimOf(authorization) {
    const said = /^TC3-HMAC-SHA256 Credential=([^/, ]+)\/(\d{4}-\d\d-\d\d)\/([a-z]+)\/tc3_request, /.source +
        /SignedHeaders=([a-z0-9;-]+), Signature=([0-9a-f]{64})$/.source;
    const [, secretId, date, service, signed, signature] = (authorization ?? '').match(said) ?? [];
    const signedHeaders = (signed ?? '').split(';');
    const isSorted = signedHeaders.join(';') === [...new Set(signedHeaders)].sort().join(';');
    if (!isSorted || !signedHeaders.includes('content-type') || !signedHeaders.includes('host')) {
        throw new Refusal('AuthFailure.InvalidAuthorization', 'Authorization is not that of TC3-HMAC-SHA256');
    }
    return {secretId, date, service, signedHeaders, signature};
}

function signatureOf(request, claim, timestamp) {
    return claim.signedHeaders.join(';') === 'content-type;host' ?
        officialSignature(request, claim.service, timestamp) :
        documentedSignature(request, claim, timestamp);
}

/** By the official client, which signs content-type and host alone. */
function officialSignature(request, service, timestamp) {
    const authorization = withUrlsAsReceived(() => sign3({
        method: request.method, url: request, payload: request.body, timestamp, service,
        secretId: double.settings.access_key_id, secretKey: double.settings.access_key_secret,
        headers: {'Content-Type': request.headers['content-type']},
    }));
    return authorization.match(/Signature=(.*)$/)[1];
}

// The official client leaves the port out of the host that it signs, as its clouds are on 443. With URLs that
// say what was received it signs the Host header as it came.
function withUrlsAsReceived(sign) {
    const {URL} = builtinUrl;
    builtinUrl.URL = class {
        constructor({headers, path, query}) {
            Object.assign(this, {hostname: headers.host, pathname: path, search: query && `?${query}`});
        }
    };
    try {
        return sign();
    } finally {
        builtinUrl.URL = URL;
    }
}

/** As https://cloud.tencent.com/document/api/213/30654 has it, which signs x-tc-action too. */
function documentedSignature({method, path, query, headers, body}, {signedHeaders, service}, timestamp) {
    const lines = signedHeaders.map((name) => `${name}:${(headers[name] ?? '').trim().toLowerCase()}\n`);
    const canonical = [method, path, query, lines.join(''), signedHeaders.join(';'), hash(body)].join('\n');
    const scope = [dateOf(timestamp), service, 'tc3_request'];
    const signed = ['TC3-HMAC-SHA256', timestamp, scope.join('/'), hash(canonical)].join('\n');
    const key = scope.reduce(hmac, `TC3${double.settings.access_key_secret}`);
    return hmac(key, signed).toString('hex');
}

function hmac(key, text) {
    return crypto.createHmac('sha256', key).update(text).digest();
}

function dateOf(timestamp) {
    return new Date(timestamp * 1000).toISOString().slice(0, 10);
}

function checkAction(headers, service) {
    const name = headers['x-tc-action'];
    if (!Object.hasOwn(actions, name)) throw new Refusal('InvalidAction', `There is no action ${name}`);
    const action = actions[name];
    if (headers['x-tc-version'] !== versions[action.service]) {
        throw new Refusal('NoSuchVersion', `${name} is of version ${versions[action.service]}`);
    }
    if (service !== action.service) {
        throw new Refusal('AuthFailure.SignatureFailure', `${name} is signed for ${service}`);
    }
}

// Parameters

function parametersOf(request, shape) {
    let parameters;
    try {
        parameters = JSON.parse(request.body.toString());
    } catch {
        throw new Refusal('InvalidParameter', 'The body is no JSON');
    }
    checkValue(parameters, shape, 'the body');
    return parameters;
}

function checkValue(value, kind, where) {
    if (Array.isArray(kind)) {
        checkThat(Array.isArray(value), where, 'a list');
        value.forEach((item, index) => checkValue(item, kind[0], `${where}.${index}`));
    } else if (typeof kind === 'object') {
        checkThat(typeof value === 'object' && value !== null && !Array.isArray(value), where, 'an object');
        checkMembers(value, kind, where);
    } else if (kind.startsWith('integer')) {
        checkThat(Number.isSafeInteger(value) && value >= 0, where, 'a number that is not negative');
    } else if (kind.startsWith('boolean')) {
        checkThat(typeof value === 'boolean', where, 'true or false');
    } else {
        checkThat(typeof value === 'string', where, 'a string');
        if (kind.startsWith('switch') && !['on', 'off'].includes(value)) {
            throw new Refusal('InvalidParameterValue', `${where} has to be on or off`);
        }
    }
}

function checkThat(holds, where, what) {
    if (!holds) throw new Refusal('InvalidParameter', `${where} has to be ${what}`);
}

function checkMembers(value, shape, where) {
    const inside = (name) => where === 'the body' ? name : `${where}.${name}`;
    for (const [name, member] of Object.entries(value)) {
        if (!Object.hasOwn(shape, name)) {
            throw new Refusal('UnknownParameter', `${inside(name)} is not known`);
        }
        checkValue(member, shape[name], inside(name));
    }
    for (const [name, kind] of Object.entries(shape)) {
        if (typeof kind === 'string' && kind.endsWith('!') && !Object.hasOwn(value, name)) {
            throw new Refusal('MissingParameter', `${inside(name)} is missing`);
        }
    }
}

/** Whether what is read here is still going on: so it is for as many reads as the test's `polls` says. */
function goesOn(what) {
    const {polls} = double.settings;
    const count = reads.get(what) ?? 0;
    if (polls < 0 || count < polls) {
        reads.set(what, count + 1);
        return true;
    }
    reads.delete(what);
    return false;
}

// Certificates

function uploadCertificate(asked) {
    if ((asked.CertificateType ?? 'SVR') !== 'SVR') {
        throw new Refusal('InvalidParameterValue', 'CertificateType SVR alone is played here');
    }
    if (!asked.CertificatePrivateKey) {
        throw new Refusal('MissingParameter', 'CertificatePrivateKey is missing');
    }
    const uploaded = uploadedPair(asked.CertificatePublicKey, asked.CertificatePrivateKey);
    const [repeated] = Object.entries(state.certificates)
        .find(([, {sha256}]) => sha256 === uploaded.sha256) ?? [];
    if (repeated !== undefined && asked.Repeatable === false) {
        // Both: so the example of tencentcloud-cli has it.
        return {CertificateId: repeated, RepeatCertId: repeated};
    }
    const id = newCertificateId();
    state.certificates[id] = {...uploaded, alias: asked.Alias ?? '', type: 'SVR'};
    return {CertificateId: id, RepeatCertId: ''};
}

function uploadedPair(certificate, key) {
    const chain = certificatesIn(certificate);
    if (chain === undefined || !isChain(chain)) {
        throw new Refusal('FailedOperation.CertificateInvalid', 'The certificates are no chain, leaf first');
    }
    if (privateKeyIn(key) === undefined) {
        throw new Refusal('FailedOperation.CertificateInvalid', 'The private key is none');
    }
    const pair = pairOf(certificate, key);
    if (pair === undefined) {
        throw new Refusal('FailedOperation.CertificateMismatch', 'The private key is not the certificate\'s');
    }
    return {certificate, sha256: pair.sha256, key_sha256: pair.key_sha256};
}

function newCertificateId() {
    const id = crypto.randomBytes(6).toString('base64url').replace(/[-_]/g, '0');
    return id in state.certificates ? newCertificateId() : id;
}

function checkCertificate(id) {
    if (!Object.hasOwn(state.certificates, id)) {
        throw new Refusal('FailedOperation.CertificateNotFound', `There is no certificate ${id}`);
    }
}

function leafOf(id) {
    return new crypto.X509Certificate(state.certificates[id].certificate);
}

function factsOf(id) {
    const {alias, type} = state.certificates[id];
    const leaf = leafOf(id);
    return {
        CertificateId: id, Alias: alias, CertificateType: type, From: 'upload', ProjectId: '0',
        Domain: namesOf(leaf)[0], Status: 1, StatusName: '已通过', Deployable: true,
        CertBeginTime: timeInChina(Date.parse(leaf.validFrom)),
        CertEndTime: timeInChina(Date.parse(leaf.validTo)),
    };
}

function timeInChina(milliseconds) {
    return new Date(milliseconds + 8 * 3600 * 1000).toISOString().slice(0, 19).replace('T', ' ');
}

function describeCertificateDetail({CertificateId: id}) {
    checkCertificate(id);
    return {
        ...factsOf(id), SubjectAltName: namesOf(leafOf(id)).slice(1),
        CertificatePublicKey: state.certificates[id].certificate,
        // The vendor gives the key itself; a client must not let this answer into a log.
        CertificatePrivateKey: '-----BEGIN PRIVATE KEY-----\nNOT+KEPT\n-----END PRIVATE KEY-----\n',
        // May be null, and its form is nowhere said.
        CertFingerprint: null,
    };
}

function describeCertificates({Offset = 0, Limit = 10, SearchKey = '', CertificateType, FilterSource}) {
    const isFound = ([id, {alias, type}]) =>
        [id, alias, ...namesOf(leafOf(id))].some((text) => text.includes(SearchKey)) &&
        (CertificateType ?? type) === type && (FilterSource ?? 'upload') === 'upload';
    const found = Object.entries(state.certificates).reverse().filter(isFound).map(([id]) => id);
    const names = (id) => namesOf(leafOf(id));
    return {
        TotalCount: found.length,
        Certificates: found.slice(Offset, Offset + Math.min(Limit, 1000)).map((id) => (
            {...factsOf(id), SubjectAltName: names(id), CertSANs: names(id), BoundResource: null})),
    };
}

function deleteCertificate({CertificateId, IsCheckResource = false}) {
    checkCertificate(CertificateId);
    if (IsCheckResource) {
        state.deletions ??= {};
        const task = newNumber(state.deletions);
        state.deletions[task] = {certificate_id: CertificateId, domains: namesOf(leafOf(CertificateId)),
            status: 0, error: ''};
        return {DeleteResult: false, TaskId: task};
    }
    if (isBound(CertificateId)) {
        throw new Refusal('FailedOperation.DeleteResourceFailed', 'The certificate is bound to a resource');
    }
    delete state.certificates[CertificateId];
    return {DeleteResult: true, TaskId: null};
}

function newNumber(objects) {
    return String(Math.max(1000, ...Object.keys(objects).map(Number)) + 1);
}

function isBound(certificateId) {
    return Object.values(state.domains).some((domain) => domain.https?.CertInfo?.CertId === certificateId);
}

function describeDeleteCertificatesTaskResult({TaskIds = []}) {
    if (TaskIds.length === 0) throw new Refusal('MissingParameter', 'TaskIds is missing');
    const isKnown = (task) => Object.hasOwn(state.deletions ?? {}, task);
    if (TaskIds.length > 100 || !TaskIds.every(isKnown)) {
        throw new Refusal('InvalidParameterValue', 'TaskIds has an unknown one, or more than 100');
    }
    return {DeleteTaskResult: TaskIds.map(deletionResult)};
}

function deletionResult(task) {
    const deletion = state.deletions[task];
    if (deletion.status === 0 && !goesOn(`deletion ${task}`)) settleDeletion(deletion);
    return {TaskId: task, CertId: deletion.certificate_id, Status: deletion.status, Error: deletion.error,
        CacheTime: timeInChina(double.now()), Domains: deletion.domains};
}

function settleDeletion(deletion) {
    const id = deletion.certificate_id;
    if (!Object.hasOwn(state.certificates, id)) {
        Object.assign(deletion, {status: 2, error: '证书不存在'});
    } else if (isBound(id)) {
        Object.assign(deletion, {status: 4, error: '有未解绑的云资源'});
    } else {
        delete state.certificates[id];
        deletion.status = 1;
    }
}

// Deployments: the SSL service binds a certificate to domains of the CDN

function deployCertificateInstance({CertificateId, InstanceIdList = [], ResourceType = 'clb'}) {
    checkCertificate(CertificateId);
    if (ResourceType !== 'cdn') {
        throw new Refusal('InvalidParameterValue', 'ResourceType cdn alone is played here');
    }
    if (InstanceIdList.length === 0) throw new Refusal('MissingParameter', 'InstanceIdList is missing');
    const domains = InstanceIdList.map((instance) => instance.match(/^([^|]+)\|(on|off)$/)?.[1]);
    if (domains.includes(undefined)) {
        throw new Refusal('InvalidParameterValue', 'An instance of cdn is DOMAIN|on or DOMAIN|off');
    }
    // One that runs is in the way of another; that it is one of the same certificate is not documented.
    const [running] = Object.entries(state.deployments).find(([, deployment]) =>
        deployment.certificate_id === CertificateId && deployment.status === 'running') ?? [];
    if (running !== undefined) return {DeployRecordId: Number(running), DeployStatus: 0};
    const id = newNumber(state.deployments);
    state.deployments[id] = {certificate_id: CertificateId, status: 'running',
        instances: domains.map((domain) => ({domain, status: deploying, error: ''}))};
    return {DeployRecordId: Number(id), DeployStatus: 1};
}

// The numbers of ssl_models.d.ts for records that the service deploys itself.
const [deployed, failed, deploying] = [1, 2, 3];

function describeHostDeployRecordDetail({DeployRecordId, Offset = 0, Limit = 10}) {
    if (!Object.hasOwn(state.deployments, DeployRecordId)) {
        throw new Refusal('FailedOperation.CertificateDeployNotExist', 'There is no such record');
    }
    if (Limit > 200) throw new Refusal('FailedOperation.InvalidParam', 'Limit is 200 at most');
    const deployment = state.deployments[DeployRecordId];
    if (deployment.status === 'running' && !goesOn(`deployment ${DeployRecordId}`)) {
        deployment.instances.forEach((instance) => settleInstance(instance, deployment.certificate_id));
        deployment.status = 'done';
    }
    const count = (status) => deployment.instances.filter((instance) => instance.status === status).length;
    const details = deployment.instances.map((instance, index) => ({
        Id: Number(DeployRecordId) * 1000 + index, CertId: deployment.certificate_id,
        OldCertId: instance.old_certificate_id ?? '', InstanceId: instance.domain,
        InstanceName: instance.domain, Domains: [instance.domain], Status: instance.status,
        ErrorMsg: instance.error,
    }));
    return {
        TotalCount: details.length, SuccessTotalCount: count(deployed), FailedTotalCount: count(failed),
        RunningTotalCount: count(deploying), PendingTotalCount: 0,
        DeployRecordDetailList: details.slice(Offset, Offset + Limit),
    };
}

function settleInstance(instance, certificateId) {
    try {
        const domain = changeableDomain(instance.domain);
        const bound = certInfoOf(certificateId, instance.domain);
        instance.old_certificate_id = domain.https?.CertInfo?.CertId ?? '';
        // Whether this also switches HTTPS on is not documented: what is there stays as it is.
        domain.https = {Switch: 'on', ...domain.https, CertInfo: bound};
        instance.status = deployed;
    } catch (error) {
        if (!(error instanceof Refusal)) throw error;
        Object.assign(instance, {status: failed, error: error.message});
    }
}

// Domains of the CDN

function describeDomains(asked) {
    const {total, names} = domainsOf(asked, 1000);
    return {TotalNumber: total, Domains: names.map(briefly)};
}

function describeDomainsConfig(asked) {
    const {total, names} = domainsOf(asked, 100);
    return {TotalNumber: total, Domains: names.map((name) => ({...briefly(name), Https: httpsOf(name)}))};
}

function domainsOf({Offset = 0, Limit = 100, Filters = []}, most) {
    if (Limit > most) throw new Refusal('InvalidParameter.CdnParamError', `Limit is ${most} at most`);
    Filters.forEach(checkFilter);
    const found = Object.keys(state.domains).filter((name) => Filters.every((filter) => meets(name, filter)));
    const names = found.slice(Offset, Offset + Limit);
    for (const name of names) {
        const domain = state.domains[name];
        if (domain.status === 'processing' && !goesOn(`domain ${name}`)) domain.status = 'online';
    }
    return {total: found.length, names};
}

function checkFilter({Name, Value = [], Fuzzy = false}) {
    const names = Fuzzy ? ['domain'] : ['domain', 'status', 'https'];
    const most = Fuzzy ? 1 : 5;
    if (!names.includes(Name) || Value.length === 0 || Value.length > most) {
        throw new Refusal('InvalidParameter.CdnParamError',
            `A filter has one of the names ${names} and 1 to ${most} values here`);
    }
}

function meets(name, {Name, Value, Fuzzy = false}) {
    const {https, status} = state.domains[name];
    const fact = {domain: name, status, https: https?.Switch ?? 'off'}[Name];
    return Fuzzy ? fact.includes(Value[0]) : Value.includes(fact);
}

function briefly(name) {
    return {
        ResourceId: `cdn-${hash(name).slice(0, 8)}`, Domain: name, Cname: `${name}.cdn.dnsv1.com`,
        Status: state.domains[name].status, ProjectId: 0, ServiceType: 'web', Disable: 'normal',
        Area: 'mainland', Readonly: 'normal', Product: 'cdn',
    };
}

/** What is not set is there as null. */
function httpsOf(name) {
    const {https, status} = state.domains[name];
    const none = {CertId: null, CertName: null, Certificate: null, PrivateKey: null, ExpireTime: null,
        DeployTime: null, Message: null, From: null};
    const shown = {Switch: 'off', Http2: 'off', OcspStapling: 'off', VerifyClient: 'off', Spdy: 'off',
        ClientCertInfo: null, Hsts: null, TlsVersion: null, ...https,
        CertInfo: https?.CertInfo ? {...none, ...https.CertInfo} : null};
    const progress = status === 'processing' ? 'deploying' : 'deployed';
    return {...shown, SslStatus: shown.Switch === 'off' ? 'closed' : progress};
}

function updateDomainConfig({Domain, Https}) {
    const domain = changeableDomain(Domain);
    if (Https === undefined) throw new Refusal('MissingParameter', 'Https is missing');
    setHttps(domain, Domain, Https);
    return {};
}

/** Changes a leaf, named by its path, and leaves what is beside it. */
function modifyDomainConfig({Domain, Route, Value}) {
    const domain = changeableDomain(Domain);
    const [first, ...path] = Route.split('.');
    if (first !== 'Https') throw new Refusal('UnknownParameter', `Route ${Route} is not played here`);
    setHttps(domain, Domain, replaced(settable(domain.https), path, updateIn(Value)));
    return {};
}

/** Https as it may be sent back. */
function settable(https) {
    const {SslStatus, ...rest} = https ?? {};
    return JSON.parse(JSON.stringify(rest), (name, value) => value ?? undefined);
}

function replaced(whole, [name, ...path], value) {
    if (name === undefined) return value;
    const isObject = typeof whole === 'object' && !Array.isArray(whole);
    return {...(isObject ? whole : {}), [name]: replaced(isObject ? whole[name] : undefined, path, value)};
}

function updateIn(text) {
    try {
        const value = JSON.parse(text);
        if (Object.keys(value).join() === 'update') return value.update;
    } catch {
        // Not JSON: refused as anything else that is wrong.
    }
    throw new Refusal('InvalidParameter.CdnParamError', 'Value is JSON of an object with update alone');
}

function changeableDomain(name) {
    if (!Object.hasOwn(state.domains, name)) {
        throw new Refusal('ResourceNotFound.CdnHostNotExists', `There is no domain ${name}`);
    }
    const domain = state.domains[name];
    if (domain.status === 'processing') {
        throw new Refusal('ResourceInUse.CdnOpInProgress', `${name} is being changed`);
    }
    return domain;
}

/** As a whole: what is not given gets its default. */
function setHttps(domain, name, given) {
    checkValue(given, httpsShape, 'Https');
    checkTlsVersions(given.TlsVersion);
    if (given.Switch === 'on' && !given.CertInfo?.CertId) {
        throw new Refusal('InvalidParameter.CdnCertInfoNotFound', 'HTTPS needs a certificate');
    }
    const next = {Http2: 'off', OcspStapling: 'off', VerifyClient: 'off', Spdy: 'off', ...given};
    if (given.CertInfo?.CertId) next.CertInfo = certInfoOf(given.CertInfo.CertId, name);
    domain.https = next;
    domain.status = double.settings.polls === 0 ? 'online' : 'processing';
}

function checkTlsVersions(chosen = ['TLSv1']) {
    const all = ['TLSv1', 'TLSv1.1', 'TLSv1.2', 'TLSv1.3'];
    const inOrder = all.filter((version) => chosen.includes(version));
    const first = all.indexOf(inOrder[0]);
    const isGapless = all.slice(first, first + inOrder.length).join() === inOrder.join();
    if (inOrder.length === 0 || inOrder.length !== chosen.length || !isGapless) {
        throw new Refusal('InvalidParameter.CdnParamError', 'Https.TlsVersion is versions without a gap');
    }
}

/** That a certificate for other names gets this code too is not documented. */
function certInfoOf(id, domain) {
    if (!Object.hasOwn(state.certificates, id) || !isFor(leafOf(id), domain)) {
        throw new Refusal('InvalidParameter.CdnCertInfoNotFound', `No certificate ${id} is for ${domain}`);
    }
    const {Alias, From, CertEndTime} = factsOf(id);
    return {CertId: id, CertName: Alias, Message: Alias, From, ExpireTime: CertEndTime,
        DeployTime: timeInChina(double.now())};
}
