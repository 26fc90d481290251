// Judges alibaba_double.mjs by Alibaba Cloud's own clients of CAS and CDN, and by its generic client, which
// sends the same parameters as a signed form.
//
//     node tests/cdn/judge_alibaba.mjs
import crypto from 'node:crypto';
import {hash, requireOfficial} from './double.mjs';
import {check, checkEqual, checkRefused, judge} from './judging.mjs';

const openApi = requireOfficial('@alicloud/openapi-core');
const cas = requireOfficial('@alicloud/cas20200407');
const cdn = requireOfficial('@alicloud/cdn20180510');
const {OpenApiUtil, $OpenApiUtil} = openApi;

const versions = {cas: '2020-04-07', cdn: '2018-05-10'};
const account = {access_key_id: 'LTAIjudge', access_key_secret: 'the secret of the judge'};
const plain = 'cdn.shop.example';
const wildcard = '.shop.example';

async function judgeAlibaba({authority, start}) {
    const certificates = {
        first: authority.issue(['shop.example', '*.shop.example'], {key: 'rsa'}),
        second: authority.issue(['shop.example', '*.shop.example']),
        third: authority.issue(['cdn.shop.example'], {key: 'rsa'}),
        expired: authority.issue(['old.shop.example'], {days: 1}),
    };
    const domains = {[plain]: {}, [wildcard]: {}};
    const double = await start('alibaba_double.mjs', {...account, state: {certificates: {}, domains}});
    const clients = new Clients(double);
    const ids = await judgeCertificates(double, clients, certificates);
    await judgeBinding(double, clients, certificates, ids);
    await judgeUploadToCdn(double, clients, certificates);
    await judgeRefusedCertificates(double, clients, certificates);
    await judgeRefusedParameters(clients, certificates);
    await judgeRefusedSignatures(double, clients);
    await judgeFaults(double, clients, certificates);
    await judgeOtherAccounts(start, certificates);
}

/** The official clients of a double. */
class Clients {
    constructor(double, credentials = {}) {
        const config = new $OpenApiUtil.Config({
            accessKeyId: account.access_key_id, accessKeySecret: account.access_key_secret,
            endpoint: `127.0.0.1:${double.port}`, regionId: 'cn-hangzhou', ca: double.ca, ...credentials,
        });
        this.cas = new cas.default(config);
        this.cdn = new cdn.default(config);
        this.generic = new openApi.default(config);
    }

    async upload(name, {fullchain, key}) {
        return (await this.cas.uploadUserCertificate(new cas.UploadUserCertificateRequest({
            name, cert: fullchain, key}))).body;
    }

    async detail(certId, certFilter = true) {
        return (await this.cas.getUserCertificateDetail(new cas.GetUserCertificateDetailRequest({
            certId, certFilter}))).body;
    }

    async list(parameters) {
        return (await this.cas.listUserCertificateOrder(
            new cas.ListUserCertificateOrderRequest(parameters))).body;
    }

    delete(certId) {
        return this.cas.deleteUserCertificate(new cas.DeleteUserCertificateRequest({certId}));
    }

    set(parameters) {
        return this.cdn.setCdnDomainSSLCertificate(new cdn.SetCdnDomainSSLCertificateRequest({
            SSLProtocol: 'on', ...parameters}));
    }

    async info(domainName) {
        const request = new cdn.DescribeDomainCertificateInfoRequest({domainName});
        return (await this.cdn.describeDomainCertificateInfo(request)).body.certInfos.certInfo;
    }

    /** Everything in the body: what the official client does with `body` of a formData operation. */
    async form(product, action, body) {
        return (await this.call(product, action, {body})).body;
    }

    call(product, action, request) {
        const params = new $OpenApiUtil.Params({
            action, version: versions[product], protocol: 'HTTPS', pathname: '/', method: 'POST',
            authType: 'AK', style: 'RPC', reqBodyType: 'formData', bodyType: 'json',
        });
        return this.generic.callApi(params, new $OpenApiUtil.OpenApiRequest(request), {});
    }
}

async function judgeCertificates(double, clients, {first, second}) {
    const uploaded = await clients.upload('shop_1', first);
    const id = uploaded.certId;
    check('an upload gives an id and a resource',
        Number.isInteger(id) && /^cas-upload-\w+$/.test(uploaded.resourceId), uploaded);
    checkEqual('the state has the certificate, and of its key the digest alone', double.state().certificates,
        {[id]: {certificate: first.fullchain, sha256: first.sha256, key_sha256: first.key_sha256,
            name: 'shop_1', resource_id: uploaded.resourceId}});
    const [byQuery] = double.requests();
    check('the official client has the parameters in the query', byQuery.body === '' &&
        byQuery.url.includes('PRIVATE'), byQuery);

    const form = {Name: 'shop_2', Cert: second.fullchain, Key: second.key};
    const secondId = (await clients.form('cas', 'UploadUserCertificate', form)).CertId;
    checkEqual('the same, signed as a form, is taken', double.state().certificates[secondId]?.sha256,
        second.sha256);
    const byForm = double.requests().at(-1);
    check('nothing of it is in the address', byForm.url === '/' && byForm.body.includes('PRIVATE'), byForm);
    const {authorization, 'content-type': type} = byForm.headers;
    check('the type of the form is signed', type === 'application/x-www-form-urlencoded' &&
        authorization.includes('SignedHeaders=content-type;host;x-acs-action'), byForm.headers);

    const detail = await clients.detail(id);
    checkEqual('details have the digest of the leaf', detail.sha2?.toLowerCase(), first.sha256);
    checkEqual('.. its serial number', detail.serialNo,
        new crypto.X509Certificate(first.certificate).serialNumber.toLowerCase());
    checkEqual('.. its names', [detail.common, detail.sans], ['shop.example', 'shop.example,*.shop.example']);
    checkEqual('.. its id, as a number and as other products want it, and its name',
        [detail.id, detail.certIdentifier, detail.instanceId, detail.name],
        [id, `${id}-cn-hangzhou`, uploaded.resourceId, 'shop_1']);
    checkEqual('.. and when it ends, in milliseconds', detail.notAfter,
        Date.parse(new crypto.X509Certificate(first.certificate).validTo));
    checkEqual('filtered details have neither certificate nor key', [detail.cert, detail.key],
        [undefined, undefined]);
    const whole = await clients.detail(secondId, false);
    checkEqual('others have the certificate with its chain', whole.cert, second.fullchain);
    checkEqual('the kind of the key is told', [detail.algorithm, whole.algorithm], ['RSA', 'ECC']);

    await judgeList(clients, [id, secondId], uploaded.resourceId, second);
    return [id, secondId];
}

async function judgeList(clients, [id, secondId], resourceId, second) {
    const all = await clients.list({orderType: 'UPLOAD'});
    checkEqual('uploads are listed',
        all.certificateOrderList.map((entry) => [entry.certificateId, entry.name]),
        [[secondId, 'shop_2'], [id, 'shop_1']]);
    checkEqual('.. with the digest of the leaf, and their number',
        [all.certificateOrderList[0].sha2.toLowerCase(), all.totalCount], [second.sha256, 2]);
    checkEqual('orders are another thing', (await clients.list({})).certificateOrderList, []);
    const found = async (keyword) => (await clients.list({orderType: 'CERT', keyword})).totalCount;
    checkEqual('they are found by names of hosts and by resource, not by their own',
        [await found('shop.ex'), await found(resourceId), await found('shop_1')], [2, 1, 0]);
    const page = await clients.list({orderType: 'UPLOAD', currentPage: 2, showSize: 1});
    checkEqual('a list has pages', [page.certificateOrderList[0].certificateId, page.totalCount], [id, 2]);
    const expired = await clients.list({orderType: 'UPLOAD', status: 'EXPIRED'});
    checkEqual('none has expired', expired.totalCount, 0);
}

async function judgeBinding(double, clients, {first, second}, [id, secondId]) {
    checkEqual('a domain without a certificate tells of none', await clients.info(wildcard), []);
    await clients.set({domainName: wildcard, certType: 'cas', certId: id, certRegion: 'cn-hangzhou'});
    checkEqual('the state has the binding', double.state().domains[wildcard],
        {cert_id: id, cert_name: 'shop_1', cert_type: 'cas', ssl_protocol: 'on', status: 'checking'});
    const [before] = await clients.info(wildcard);
    const [after] = await clients.info(wildcard);
    checkEqual('it is checked first, and then a success', [before.status, after.status],
        ['checking', 'success']);
    checkEqual('.. in the state too', double.state().domains[wildcard].status, 'success');
    checkEqual('what is served is read back', leafOf(after.serverCertificate), first.sha256);
    checkEqual('.. by whom and what', [after.certId, after.certName, after.certType, after.certRegion,
        after.serverCertificateStatus, after.domainName],
    [String(id), 'shop_1', 'cas', 'cn-hangzhou', 'on', wildcard]);
    const detail = (await clients.cdn.describeCdnDomainDetail(new cdn.DescribeCdnDomainDetailRequest({
        domainName: wildcard}))).body.getDomainDetailModel;
    checkEqual('the domain has HTTPS', [detail.domainStatus, detail.serverCertificateStatus],
        ['online', 'on']);
    const listed = (await clients.cdn.describeUserDomains(new cdn.DescribeUserDomainsRequest({}))).body;
    checkEqual('.. and the domains are listed',
        listed.domains.pageData.map((domain) => [domain.domainName, domain.sslProtocol]),
        [[plain, 'off'], [wildcard, 'on']]);

    await checkRefused('a certificate in use is not deleted', () => clients.delete(id),
        'InvalidStatus.DeleteProtection');
    const users = async (certId) => (await clients.cdn.describeCertificateInfoByID(
        new cdn.DescribeCertificateInfoByIDRequest({certId: String(certId)}))).body.certInfos.certInfo;
    const [used] = await users(id);
    checkEqual('CDN tells what uses it', [used.certId, used.certName, used.domainList],
        [String(id), 'shop_1', JSON.stringify([wildcard])]);
    await checkRefused('.. and of one that nothing uses, that there is none', () => users(secondId),
        'CertNotExisted');
    const resources = async (certIds) => (await clients.cas.listCloudResources(
        new cas.ListCloudResourcesRequest({certIds}))).body;
    checkEqual('so does the service, of all products',
        (await resources([id])).data.map((one) => [one.certId, one.cloudProduct, one.domain]),
        [[id, 'CDN', wildcard]]);
    checkEqual('.. and that nothing uses the other', (await resources([secondId])).total, 0);
    await clients.form('cdn', 'SetCdnDomainSSLCertificate',
        {DomainName: wildcard, SSLProtocol: 'on', CertType: 'cas', CertId: String(secondId)});
    const [replaced] = await clients.info(wildcard);
    checkEqual('a form replaces it', [leafOf(replaced.serverCertificate), replaced.certId, replaced.status],
        [second.sha256, String(secondId), 'checking']);
    await clients.delete(id);
    checkEqual('then it is deleted', Object.keys(double.state().certificates), [String(secondId)]);
    await checkRefused('.. and gone', () => clients.detail(id), 'NotFound');
    await checkRefused('.. for another deletion too', () => clients.delete(id), 'NotFound');
    await checkRefused('.. and for a binding, as the vendor says it',
        () => clients.set({domainName: wildcard, certType: 'cas', certId: id}), 'SSLPri.MissingParameter');
    const {certId: third} = await clients.upload('shop_3', first);
    await clients.delete(third);
    const {certId: fourth} = await clients.upload('shop_3', first);
    check('its name is free, but its id does not come back', fourth > third, [third, fourth]);
    await clients.delete(fourth);
}

async function judgeUploadToCdn(double, clients, {third}) {
    const parameters = {domainName: plain, certType: 'upload', certName: 'cdn_1', SSLPub: third.fullchain,
        SSLPri: third.key};
    await clients.set(parameters);
    const [info] = await clients.info(plain);
    checkEqual('a certificate is uploaded to a domain',
        [leafOf(info.serverCertificate), info.certName, info.certType, info.serverCertificateStatus],
        [third.sha256, 'cdn_1', 'upload', 'on']);
    checkEqual('.. and kept like others', double.state().certificates[info.certId].key_sha256,
        third.key_sha256);
    await checkRefused('its name is taken then', () => clients.set(parameters), 'CertNameAlreadyExists');
    await clients.set({domainName: plain, SSLProtocol: 'off'});
    const [off] = await clients.info(plain);
    checkEqual('HTTPS is switched off',
        [off.serverCertificateStatus, double.state().domains[plain].ssl_protocol], ['off', 'off']);
}

async function judgeRefusedCertificates(double, clients, {first, second, third}) {
    const before = double.state();
    const refused = (sentence, changes, code) =>
        checkRefused(sentence, () => clients.upload('other', {...first, ...changes}), code);
    await refused('a key of another certificate', {key: second.key}, 'InvalidParameter');
    await refused('a key that is none', {key: 'none'}, 'InvalidParameter');
    await refused('a certificate that is none', {fullchain: 'none'}, 'ParseCertificateFailed');
    await refused('a certificate on one line',
        {fullchain: first.certificate.replaceAll('\n', ' ')}, 'ParseCertificateFailed');
    await refused('a chain in the wrong order',
        {fullchain: first.chain + first.certificate}, 'ParseCertificateFailed');
    await refused('a broken second certificate', {fullchain: first.certificate +
        '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n'}, 'ParseCertificateFailed');
    await refused('no certificate', {fullchain: undefined}, 'MissingParameter');
    await checkRefused('a name that is taken', () => clients.upload('shop_2', first), 'NameRepeat');
    await checkRefused('a name that is too long', () => clients.upload('n'.repeat(65), first),
        'InvalidParameter');
    await checkRefused('a name with other characters', () => clients.upload('*.shop.example', first),
        'InvalidParameter');
    await checkRefused('no name', () => clients.upload(undefined, first), 'MissingName');

    const upload = {domainName: plain, certType: 'upload', SSLPub: third.fullchain, SSLPri: third.key};
    const toCdn = (sentence, changes, code) =>
        checkRefused(`to CDN: ${sentence}`, () => clients.set({...upload, ...changes}), code);
    await toCdn('a key of another certificate', {SSLPri: first.key}, 'Certificate.MissMatch');
    await toCdn('a key that is none', {SSLPri: 'none'}, 'InvalidSSLPri');
    await toCdn('no key', {SSLPri: undefined}, 'SSLPri.MissingParameter');
    await toCdn('a certificate that is none', {SSLPub: 'none'}, 'InvalidSSLPub');
    await toCdn('no certificate', {SSLPub: undefined}, 'SSLPub.MissingParameter');
    await toCdn('a name that is too long', {certName: 'n'.repeat(129)}, 'InvalidCertName.TooLong');
    await toCdn('an id and a certificate', {certId: 1}, 'SetDomainCertificate.ParameterError');
    checkEqual('nothing of it is kept', double.state(), before);
}

async function judgeRefusedParameters(clients, {first}) {
    const set = {domainName: wildcard, certType: 'cas', certId: 1};
    const refused = (sentence, changes, code) =>
        checkRefused(sentence, () => clients.set({...set, ...changes}), code);
    await refused('an unknown domain', {domainName: 'other.example'}, 'InvalidDomain.NotFound');
    await refused('a wildcard with its star', {domainName: '*.shop.example'}, 'InvalidDomain.NotFound');
    await refused('no domain', {domainName: undefined}, 'MissingDomainName');
    await refused('an unknown switch', {SSLProtocol: 'ON'}, 'InvalidSSLProtocol.ValueNotSupported');
    await refused('no type', {certType: undefined}, 'SetDomainCertificate.ParameterError');
    await refused('an unknown type', {certType: 'CAS'}, 'SetDomainCertificate.ParameterError');
    await refused('no id', {certId: undefined}, 'SetDomainCertificate.ParameterError');
    await refused('an id and a key', {SSLPri: first.key}, 'SetDomainCertificate.ParameterError');
    await refused('an unknown region', {certRegion: 'eu-central-1'}, 'Abs.CertRegion.ValueNotSupported');
    await refused('the region of the other site', {certRegion: 'ap-southeast-1'}, 'SSLPri.MissingParameter');
    await checkRefused('an unknown domain, read', () => clients.info('other.example'),
        'InvalidDomain.NotFound');

    const form = (sentence, product, action, body, code) =>
        checkRefused(sentence, () => clients.form(product, action, body), code);
    await form('an unknown action', 'cas', 'UploadEverything', {}, 'InvalidAction.NotFound');
    await form('an action of another version', 'cdn', 'DeleteUserCertificate', {CertId: '1'},
        'InvalidVersion');
    await form('an unknown parameter', 'cas', 'DeleteUserCertificate', {CertId: '1', Force: 'true'},
        'UnsupportedParameter');
    await form('a text for a number', 'cas', 'DeleteUserCertificate', {CertId: 'all'}, 'InvalidCertId');
    await form('no id of a certificate', 'cas', 'GetUserCertificateDetail', {}, 'MissingCertId');
    await form('a number for a flag', 'cas', 'GetUserCertificateDetail', {CertId: '1', CertFilter: '1'},
        'InvalidCertFilter');
    await form('an unknown kind of order', 'cas', 'ListUserCertificateOrder', {OrderType: 'upload'},
        'InvalidParameter');
    const twice = {query: {Name: 'twice'}, body: {Name: 'twice', Cert: first.fullchain, Key: first.key}};
    await checkRefused('a parameter both in query and form',
        () => clients.call('cas', 'UploadUserCertificate', twice), 'InvalidParameter');
}

async function judgeRefusedSignatures(double, clients) {
    const others = (credentials) => new Clients(double, credentials);
    await checkRefused('a wrong secret', () => others({accessKeySecret: 'other'}).list({}),
        'SignatureDoesNotMatch');
    await checkRefused('an unknown key', () => others({accessKeyId: 'LTAIother'}).list({}),
        'InvalidAccessKeyId.NotFound');
    await checkRefused('a token that nobody gave', () => others({securityToken: 'other'}).list({}),
        'InvalidSecurityToken.MismatchWithAccessKey');

    await clients.form('cas', 'ListUserCertificateOrder', {OrderType: 'UPLOAD'});
    const form = double.requests().at(-1);
    await clients.list({orderType: 'UPLOAD'});
    const query = double.requests().at(-1);
    const replayed = async (sentence, request, changes, code) => {
        const answer = await double.replay(request, changes);
        const {Code} = JSON.parse(answer.body);
        check(`${sentence} (${code})`, answer.status >= 400 && Code === code, answer);
    };
    await replayed('a request that comes again', form, {}, 'SignatureNonceUsed');
    await replayed('another body', form, {body: 'OrderType=CERT'}, 'SignatureDoesNotMatch');
    const otherBody = {body: 'OrderType=CERT', headers: {'x-acs-content-sha256': hash('OrderType=CERT')}};
    await replayed('another body with its own digest', form, otherBody, 'SignatureDoesNotMatch');
    await replayed('another query', query, {url: '/?OrderType=CERT'}, 'SignatureDoesNotMatch');
    await replayed('a parameter more', query, {url: `${query.url}&ShowSize=1`}, 'SignatureDoesNotMatch');
    await replayed('a parameter twice', query, {url: `${query.url}&OrderType=UPLOAD`}, 'InvalidParameter');
    await replayed('a parameter that is not encoded', query, {url: '/?OrderType=%GG'}, 'InvalidParameter');
    await replayed('another path', query, {url: '/other'}, 'InvalidAction.NotFound');
    await replayed('another method', query, {method: 'GET'}, 'UnsupportedHTTPMethod');
    const header = (sentence, headers, code) => replayed(sentence, form, {headers}, code);
    await header('another host', {host: 'cas.aliyuncs.com'}, 'SignatureDoesNotMatch');
    await header('another nonce', {'x-acs-signature-nonce': 'other'}, 'SignatureDoesNotMatch');
    await header('no nonce', {'x-acs-signature-nonce': undefined}, 'SignatureDoesNotMatch');
    await header('no digest', {'x-acs-content-sha256': undefined}, 'SignatureDoesNotMatch');
    await header('another type of the body', {'content-type': 'application/json'}, 'SignatureDoesNotMatch');
    await header('a header more that had to be signed', {'x-acs-trace': '1'}, 'SignatureDoesNotMatch');
    await header('no date', {'x-acs-date': undefined}, 'InvalidTimeStamp.Format');
    await header('a date in another form', {'x-acs-date': new Date().toUTCString()},
        'InvalidTimeStamp.Format');
    await header('no signature', {authorization: undefined}, 'IncompleteSignature');
    const {authorization} = form.headers;
    await header('another algorithm', {authorization: authorization.replace('SHA256', 'SM3')},
        'InvalidSignatureMethod');
    await header('a space between the parts', {authorization: authorization.replaceAll(',', ', ')},
        'IncompleteSignature');

    const signed = (changes) => ({headers: signedHeaders(form, changes)});
    await replayed('a type of the body that is not signed', form, {headers: {
        ...signed({'content-type': undefined}).headers, 'content-type': form.headers['content-type']}},
    'SignatureDoesNotMatch');
    await replayed('a signed digest of another body', form, signed({'x-acs-content-sha256': hash('other')}),
        'SignatureDoesNotMatch');
    await replayed('a signed request without a nonce', form, signed({'x-acs-signature-nonce': undefined}),
        'IncompleteSignature');
    await replayed('a signed body without a type', form, signed({'content-type': undefined}),
        'InvalidParameter');
    await replayed('a signed body of another type', form, signed({'content-type': 'application/json'}),
        'InvalidParameter');
    const last = await double.replay(form, signed({}));
    checkEqual('what was changed is all that was wrong', last.status, 200);
}

/** A recorded form signed anew, with a nonce of its own, by the official signer. */
function signedHeaders({method, headers, body}, changes) {
    const all = {...headers, 'x-acs-signature-nonce': crypto.randomUUID(), ...changes};
    const present = Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined));
    const authorization = OpenApiUtil.getAuthorization({method, pathname: '/', query: {}, headers: present},
        'ACS3-HMAC-SHA256', hash(body), account.access_key_id, account.access_key_secret);
    return {...all, authorization};
}

async function judgeFaults(double, clients, {first}) {
    const classOf = (error) => error.constructor.name;
    double.setFaults([{on: 'ListUserCertificateOrder', do: 'error', code: 'Throttling.User'}]);
    await checkRefused('the official client knows throttling by its code', () => clients.list({}),
        'ThrottlingError', classOf);
    double.setFaults([{on: '*', do: 'error', code: 'ServiceUnavailable', status: 503}]);
    await checkRefused('.. and a failure of the service', () => clients.list({}), 'ServerError', classOf);
    double.setFaults([{on: '*', do: 'error', code: 'NoPermission', status: 403}]);
    await checkRefused('.. and a permission that is not there', () => clients.list({}), 'ClientError',
        classOf);
    double.setFaults([{on: 'UploadUserCertificate', do: 'commit_then_reset'}]);
    await checkRefused('an upload without an answer', () => clients.upload('unanswered', first), true,
        (error) => error.code === 'ECONNRESET' || String(error));
    double.setFaults([]);
    await checkRefused('.. has been done, so its name is taken', () => clients.upload('unanswered', first),
        'NameRepeat');
}

async function judgeOtherAccounts(start, {expired, first}) {
    const state = {certificates: {7: {certificate: first.fullchain, sha256: first.sha256,
        key_sha256: first.key_sha256, name: 'before', resource_id: 'cas-upload-before'}},
    domains: {[plain]: {cert_id: 7, cert_name: 'before', ssl_protocol: 'on', status: 'success'}}};
    const settings = {...account, session_token: 'the token', region: 'ap-southeast-1', polls: -1, state};
    const abroad = await start('alibaba_double.mjs', settings);
    const clients = new Clients(abroad, {securityToken: 'the token'});
    checkEqual('a token is taken', (await clients.list({orderType: 'UPLOAD'})).totalCount, 1);
    await checkRefused('no token', () => new Clients(abroad).list({}), 'MissingSecurityToken');
    checkEqual('what was there before is served', (await clients.info(plain)).map(
        ({certId, status, serverCertificate}) => [certId, status, leafOf(serverCertificate)]),
    [['7', 'success', first.sha256]]);
    await checkRefused('the international site has a region of its own',
        () => clients.set({domainName: plain, certType: 'cas', certId: 7}), 'SSLPri.MissingParameter');
    await clients.set({domainName: plain, certType: 'cas', certId: 7, certRegion: 'ap-southeast-1'});
    const statuses = [];
    for (let read = 0; read < 4; read += 1) statuses.push((await clients.info(plain))[0].status);
    checkEqual('a check may never end', statuses, Array(4).fill('checking'));

    const minutes = 60;
    const skewed = async (clockOffset) => new Clients(
        await start('alibaba_double.mjs', {...account, clock_offset: clockOffset}));
    checkEqual('a clock may be 10 minutes off', (await (await skewed(10 * minutes)).list({})).totalCount, 0);
    for (const offset of [16 * minutes, -16 * minutes]) {
        const late = await skewed(offset);
        await checkRefused(`a clock that is ${offset} seconds off`, () => late.list({}),
            'InvalidTimeStamp.Expired');
    }

    // Both clocks move: the double's by its setting, the client's by the date that it is given.
    const twoDays = 2 * 24 * 60 * minutes;
    const later = await start('alibaba_double.mjs', {...account, clock_offset: twoDays,
        state: {domains: {[plain]: {}}}});
    const date = new Date(Date.now() + twoDays * 1000).toISOString().replace(/\.\d+Z$/, 'Z');
    const then = new Clients(later, {globalParameters: new $OpenApiUtil.GlobalParameters({
        headers: {'x-acs-date': date}})});
    const {certId} = await then.upload('expired', expired);
    checkEqual('an expired certificate is listed as such',
        [(await then.list({orderType: 'UPLOAD'})).totalCount,
            (await then.list({orderType: 'UPLOAD', status: 'EXPIRED'})).totalCount], [0, 1]);
    await checkRefused('.. and not bound', () => then.set({domainName: plain, certType: 'cas', certId}),
        'Certificate.Expired');
    await checkRefused('.. nor uploaded to CDN', () => then.set({domainName: plain, certType: 'upload',
        SSLPub: expired.fullchain, SSLPri: expired.key}), 'Certificate.Expired');
    checkEqual('.. nor kept', (await then.list({orderType: 'UPLOAD', status: 'EXPIRED'})).totalCount, 1);
}

function leafOf(pem) {
    return hash(new crypto.X509Certificate(pem).raw);
}

await judge(judgeAlibaba);
