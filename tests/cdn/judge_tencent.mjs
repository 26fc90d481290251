// Judges tencent_double.mjs by Tencent's own client, tencentcloud-sdk-nodejs. The client signs the names of
// the clouds, so it keeps those, and an agent of its own takes its connections to the double.
import crypto from 'node:crypto';
import https from 'node:https';
import {requireOfficial} from './double.mjs';
import {check, checkEqual, checkRefused, judge} from './judging.mjs';

const {ssl, cdn} = requireOfficial('tencentcloud-sdk-nodejs');
const {CommonClient} = requireOfficial('tencentcloud-sdk-nodejs/tencentcloud/common');
const {sign3} = requireOfficial('tencentcloud-sdk-nodejs/tencentcloud/common/sign.js').default;

const clouds = ['ssl.tencentcloudapi.com', 'cdn.tencentcloudapi.com', 'cvm.tencentcloudapi.com'];
const key = {access_key_id: 'AKIDjudgejudgejudge', access_key_secret: 'judging0judging0judging'};
const tlsVersions = ['TLSv1.2', 'TLSv1.3'];

class ToDouble extends https.Agent {
    constructor(double) {
        super({ca: double.ca, keepAlive: true});
        this.port = double.port;
    }

    createConnection(options, callback) {
        return super.createConnection({...options, host: '127.0.0.1', port: this.port}, callback);
    }
}

function configOf(double, credential = {}) {
    return {
        credential: {secretId: key.access_key_id, secretKey: key.access_key_secret, ...credential},
        profile: {httpProfile: {agent: new ToDouble(double)}},
    };
}

function clientsOf(double, credential) {
    const config = configOf(double, credential);
    return {ssl: new ssl.v20191205.Client(config), cdn: new cdn.v20180606.Client(config)};
}

function upload(clients, pair, more = {}) {
    return clients.ssl.UploadCertificate({
        CertificatePublicKey: pair.fullchain, CertificatePrivateKey: pair.key, CertificateType: 'SVR',
        Alias: 'certcast', Repeatable: false, ...more});
}

async function configOfDomain(clients, name) {
    const {Domains} = await clients.cdn.DescribeDomainsConfig({Filters: [{Name: 'domain', Value: [name]}]});
    return Domains[0];
}

/** Https as it may be sent back: SslStatus is read alone, and the client leaves out null by itself. */
function settable({SslStatus, ...https}) {
    return https;
}

await judge(async ({authority, start}) => {
    const shop = authority.issue(['shop.example', 'www.shop.example']);
    const renewed = authority.issue(['shop.example', 'www.shop.example'], {key: 'rsa'});
    const wildcard = authority.issue(['*.wild.example']);
    const stored = {certificate: shop.fullchain, sha256: shop.sha256, key_sha256: shop.key_sha256,
        alias: 'first', type: 'SVR'};
    const https = {Switch: 'on', Http2: 'on', OcspStapling: 'on', CertInfo: {CertId: 'first001'},
        Hsts: {Switch: 'on', MaxAge: 600, IncludeSubDomains: 'off'}, TlsVersion: tlsVersions};
    const state = {certificates: {first001: stored}, domains: {
        'shop.example': {https, status: 'online'},
        'www.shop.example': {https, status: 'online'},
        '*.wild.example': {https: {Switch: 'off'}, status: 'online'},
    }};
    const begin = (settings) => start('tencent_double.mjs', {...key, state, ...settings}, {names: clouds});

    await judgeVectors(begin);
    const double = await begin({});
    const clients = clientsOf(double);
    await judgeCertificates(double, clients, {shop, renewed, wildcard});
    await judgeBinding(double, clients, renewed);
    await judgeModifying(double, clients, renewed);
    await judgeDeploying(double, clients, {renewed, wildcard});
    await judgeDeleting(double, clients);
    await judgeSignatures(double, renewed, await begin({session_token: 'token'}));
    await judgeClocks(begin);
    await judgeParameters(double, clients, {shop, renewed});
    await judgeNeverEnding(await begin({polls: -1}), shop);
    await judgeFaults(await begin({}), renewed);
});

// Signatures that Tencent's documentation gives, of then and of now, with a request to another service.
async function judgeVectors(begin) {
    const timestamp = 1551113065;
    const clock_offset = timestamp - Math.floor(Date.now() / 1000);
    const request = {method: 'POST', url: '/', headers: {
        host: 'cvm.tencentcloudapi.com', 'content-type': 'application/json; charset=utf-8',
        'x-tc-action': 'DescribeInstances', 'x-tc-version': '2017-03-12', 'x-tc-timestamp': String(timestamp),
    }, body: '{"Limit": 1, "Filters": [{"Values": ["\\u672a\\u547d\\u540d"], "Name": "instance-name"}]}'};
    const examples = {
        'content-type;host': ['Gu5t9xGARNpq86cd98joQYCN3EXAMPLE',
            '72e494ea809ad7a8c8f7a4507b9bddcbaa8e581f516e8da2f66e2c5a96525168'],
        'content-type;host;x-tc-action': ['*'.repeat(32),
            '10b1a37a7301a02ca19a647ad722d5e43b4b3cff309d421d85b46093f6ab6c4f'],
    };
    for (const [signedHeaders, [secret, signature]] of Object.entries(examples)) {
        const id = 'AKIDz8krbsJ5yKBZQpn74WFkmLPx3EXAMPLE';
        const double = await begin({clock_offset, access_key_id: id, access_key_secret: secret});
        const authorization = `TC3-HMAC-SHA256 Credential=${id}/2019-02-25/cvm/tc3_request, ` +
            `SignedHeaders=${signedHeaders}, Signature=`;
        const codeFor = async (signed) => codeIn(await double.replay(request,
            {headers: {authorization: authorization + signed}}));
        checkEqual(`the documented signature of ${signedHeaders} is believed`, await codeFor(signature),
            'InvalidAction');
        checkEqual(`another signature of ${signedHeaders} is not`, await codeFor(signature.replace('4', '5')),
            'AuthFailure.SignatureFailure');
    }
}

function codeIn({body}) {
    return JSON.parse(body).Response.Error?.Code;
}

async function judgeCertificates(double, clients, {shop, renewed, wildcard}) {
    const {CertificateId: id, RepeatCertId} = await upload(clients, renewed);
    checkEqual('an uploaded certificate is kept, of its key the hash alone', double.state().certificates[id],
        {certificate: renewed.fullchain, sha256: renewed.sha256, key_sha256: renewed.key_sha256,
            alias: 'certcast', type: 'SVR'});
    checkEqual('it repeats none', RepeatCertId, '');
    check('no private key is in the state', !JSON.stringify(double.state()).includes('PRIVATE KEY'));
    const again = await upload(clients, renewed);
    checkEqual('what is there already is not uploaded again',
        [again.CertificateId, again.RepeatCertId], [id, id]);
    const repeated = await upload(clients, renewed, {Repeatable: undefined});
    check('unless the request lets it', repeated.CertificateId !== id, repeated);
    await clients.ssl.DeleteCertificate({CertificateId: repeated.CertificateId});
    check('and that is deleted', !(repeated.CertificateId in double.state().certificates));

    const detail = await clients.ssl.DescribeCertificateDetail({CertificateId: id});
    checkEqual('the certificate is read back', new crypto.X509Certificate(detail.CertificatePublicKey).raw
        .equals(new crypto.X509Certificate(renewed.certificate).raw), true);
    checkEqual('with its names and its alias', [detail.Domain, detail.SubjectAltName, detail.Alias],
        ['shop.example', ['www.shop.example'], 'certcast']);
    const expiry = new Date(new crypto.X509Certificate(renewed.certificate).validTo);
    checkEqual('its end is in the time of China', Date.parse(`${detail.CertEndTime.replace(' ', 'T')}+08:00`),
        expiry.getTime());

    await upload(clients, wildcard, {Alias: 'wild'});
    const listed = async (asked) => {
        const {TotalCount, Certificates} = await clients.ssl.DescribeCertificates(asked);
        return [TotalCount, Certificates.map(({Alias}) => Alias)];
    };
    checkEqual('certificates are listed, the newest first',
        await listed({}), [3, ['wild', 'certcast', 'first']]);
    checkEqual('page by page', await listed({Offset: 1, Limit: 1}), [3, ['certcast']]);
    checkEqual('found by alias', await listed({SearchKey: 'certcast'}), [1, ['certcast']]);
    checkEqual('found by name', await listed({SearchKey: 'wild.example'}), [1, ['wild']]);

    const missing = () => clients.ssl.DescribeCertificateDetail({CertificateId: 'missing1'});
    await checkRefused('an unknown certificate is refused', missing, 'FailedOperation.CertificateNotFound');
    const refusesUpload = (sentence, change, code) =>
        checkRefused(sentence, () => upload(clients, {...renewed, ...change}), code);
    await refusesUpload('so is a key of another certificate', {key: shop.key},
        'FailedOperation.CertificateMismatch');
    const invalid = 'FailedOperation.CertificateInvalid';
    const {certificate, chain, fullchain} = renewed;
    await refusesUpload('what is no certificate', {fullchain: fullchain.replace('MII', 'XII')}, invalid);
    await refusesUpload('what is no key', {key: 'none'}, invalid);
    await refusesUpload('a chain in another order', {fullchain: chain + certificate}, invalid);
    await refusesUpload('a key among the certificates', {fullchain: fullchain + renewed.key}, invalid);
    await refusesUpload('a certificate without its key', {key: undefined}, 'MissingParameter');
}

async function judgeBinding(double, clients, renewed) {
    const {RepeatCertId: id} = await upload(clients, renewed);
    const {Domains, TotalNumber} = await clients.cdn.DescribeDomains({});
    checkEqual('domains are listed', [TotalNumber, Domains.map(({Domain, Status}) => [Domain, Status])],
        [3, [['shop.example', 'online'], ['www.shop.example', 'online'], ['*.wild.example', 'online']]]);
    const before = await configOfDomain(clients, 'shop.example');
    checkEqual('HTTPS is described as it is', [before.Https.CertInfo.CertId, before.Https.SslStatus,
        before.Https.TlsVersion, before.Https.ClientCertInfo], ['first001', 'deployed', tlsVersions, null]);

    const change = {...settable(before.Https), CertInfo: {CertId: id}};
    const update = (Https, Domain = 'shop.example') => clients.cdn.UpdateDomainConfig({Domain, Https});
    await update(change);
    checkEqual('a change is kept', double.state().domains['shop.example'].https.CertInfo.CertId, id);
    await checkRefused('another change has to wait', () => update(change), 'ResourceInUse.CdnOpInProgress');
    const during = await configOfDomain(clients, 'shop.example');
    checkEqual('the domain is processing',
        [during.Status, during.Https.SslStatus], ['processing', 'deploying']);
    const after = await configOfDomain(clients, 'shop.example');
    checkEqual('and then online', [after.Status, after.Https.SslStatus], ['online', 'deployed']);
    checkEqual('with the new certificate', [after.Https.CertInfo.CertId, after.Https.CertInfo.CertName],
        [id, 'certcast']);
    const others = ({Switch, Http2, OcspStapling, Hsts, TlsVersion}) =>
        ({Switch, Http2, OcspStapling, Hsts, TlsVersion});
    checkEqual('and all else as before', others(after.Https), others(before.Https));

    await update({Switch: 'on', CertInfo: {CertId: id}}, 'www.shop.example');
    const reset = (await configOfDomain(clients, 'www.shop.example')).Https;
    checkEqual('HTTPS is replaced as a whole',
        [reset.Http2, reset.OcspStapling, reset.Hsts, reset.TlsVersion], ['off', 'off', null, null]);

    const refuses = (sentence, Https, code, Domain) =>
        checkRefused(sentence, () => update(Https, Domain), code);
    await refuses('an unknown domain is refused', change,
        'ResourceNotFound.CdnHostNotExists', 'other.example');
    const noCertificate = 'InvalidParameter.CdnCertInfoNotFound';
    await refuses('so is an unknown certificate', {...change, CertInfo: {CertId: 'missing1'}}, noCertificate);
    await refuses('HTTPS without a certificate', {Switch: 'on'}, noCertificate);
    await refuses('a certificate for other names', change, noCertificate, '*.wild.example');
    await refuses('versions of TLS with a gap', {...change, TlsVersion: ['TLSv1', 'TLSv1.2']},
        'InvalidParameter.CdnParamError');
    await refuses('HTTPS without its switch', {CertInfo: {CertId: id}}, 'MissingParameter');
    await refuses('a member that is for reading', {...change, SslStatus: 'deployed'}, 'UnknownParameter');
    await refuses('a member that is not known', {...change, Future: 'on'}, 'UnknownParameter');
}

async function judgeModifying(double, clients, renewed) {
    const {RepeatCertId: id} = await upload(clients, renewed);
    const modify = (Route, Value) => clients.cdn.ModifyDomainConfig({Domain: 'shop.example', Route, Value});
    const before = double.state().domains['shop.example'].https;
    await modify('Https.CertInfo.CertId', '{"update":"first001"}');
    const after = double.state().domains['shop.example'];
    checkEqual('a leaf is changed', [after.https.CertInfo.CertId, after.status], ['first001', 'processing']);
    checkEqual('and nothing beside it', {...after.https, CertInfo: null}, {...before, CertInfo: null});
    await checkRefused('another has to wait', () => modify('Https.Http2', '{"update":"off"}'),
        'ResourceInUse.CdnOpInProgress');
    await settle(clients, 'shop.example');
    await modify('Https.CertInfo', JSON.stringify({update: {CertId: id}}));
    checkEqual('so is what is not a leaf', double.state().domains['shop.example'].https.CertInfo.CertId, id);
    await settle(clients, 'shop.example');
    await checkRefused('an unknown route is refused', () => modify('Https.Future', '{"update":"on"}'),
        'UnknownParameter');
    await checkRefused('so is an unknown certificate', () => modify('Https.CertInfo.CertId',
        '{"update":"missing1"}'), 'InvalidParameter.CdnCertInfoNotFound');
    await checkRefused('and a value without update', () => modify('Https.Http2', '"off"'),
        'InvalidParameter.CdnParamError');
}

async function settle(clients, name) {
    for (let count = 0; (await configOfDomain(clients, name)).Status === 'processing'; count += 1) {
        if (count > 3) throw new Error(`${name} stays processing`);
    }
}

async function judgeDeploying(double, clients, {renewed, wildcard}) {
    const {RepeatCertId: id} = await upload(clients, renewed);
    const deploy = (CertificateId, ...InstanceIdList) => clients.ssl.DeployCertificateInstance(
        {CertificateId, InstanceIdList, ResourceType: 'cdn', Status: 1});
    const record = async (number) => {
        const {TotalCount, SuccessTotalCount, FailedTotalCount, RunningTotalCount} =
            await clients.ssl.DescribeHostDeployRecordDetail({DeployRecordId: String(number), Limit: 200});
        return [TotalCount, SuccessTotalCount, FailedTotalCount, RunningTotalCount];
    };
    await settle(clients, 'www.shop.example');
    const {DeployRecordId: number, DeployStatus} =
        await deploy('first001', 'www.shop.example|on', 'other.example|on');
    checkEqual('a deployment is made', [typeof number, DeployStatus], ['number', 1]);
    const again = await deploy('first001', 'www.shop.example|on');
    checkEqual('a second one is not while it runs', [again.DeployRecordId, again.DeployStatus], [number, 0]);
    checkEqual('it runs', await record(number), [2, 0, 0, 2]);
    checkEqual('and ends, for each domain its own way', await record(number), [2, 1, 1, 0]);
    const {DeployRecordDetailList: [bound, other]} =
        await clients.ssl.DescribeHostDeployRecordDetail({DeployRecordId: String(number)});
    checkEqual('with what was bound before', [bound.InstanceId, bound.Status, bound.OldCertId, bound.CertId],
        ['www.shop.example', 1, id, 'first001']);
    check('and with what went wrong', other.Status === 2 && other.ErrorMsg.includes('other.example'), other);
    checkEqual('the domain has the certificate',
        double.state().domains['www.shop.example'].https.CertInfo.CertId, 'first001');

    const {RepeatCertId: wild} = await upload(clients, wildcard);
    const wildRecord = await deploy(wild, '*.wild.example|on', 'shop.example|on');
    await record(wildRecord.DeployRecordId);
    checkEqual('a wildcard is for its domain alone', await record(wildRecord.DeployRecordId), [2, 1, 1, 0]);

    await checkRefused('an unknown certificate is not deployed', () => deploy('missing1', 'shop.example|on'),
        'FailedOperation.CertificateNotFound');
    await checkRefused('nor to what is no instance', () => deploy(id, 'shop.example'),
        'InvalidParameterValue');
    await checkRefused('nor to nothing', () => deploy(id), 'MissingParameter');
    await checkRefused('an unknown record is refused', () => record(17),
        'FailedOperation.CertificateDeployNotExist');
}

async function judgeDeleting(double, clients) {
    const remove = (CertificateId, IsCheckResource) =>
        clients.ssl.DeleteCertificate({CertificateId, IsCheckResource});
    await checkRefused('a bound certificate is not deleted', () => remove('first001'),
        'FailedOperation.DeleteResourceFailed');
    const resultOf = async (task) => {
        const {DeleteTaskResult} = await clients.ssl.DescribeDeleteCertificatesTaskResult({TaskIds: [task]});
        return DeleteTaskResult[0].Status;
    };
    const {DeleteResult, TaskId: refused} = await remove('first001', true);
    checkEqual('a checked deletion takes its time', [DeleteResult, await resultOf(refused)], [false, 0]);
    checkEqual('and ends with what is bound', await resultOf(refused), 4);
    check('which is there still', 'first001' in double.state().certificates);

    const {Certificates: [other]} = await clients.ssl.DescribeCertificates({SearchKey: 'certcast'});
    await clients.cdn.UpdateDomainConfig({Domain: 'www.shop.example',
        Https: {Switch: 'on', CertInfo: {CertId: other.CertificateId}}});
    const {TaskId: done} = await remove('first001', true);
    checkEqual('what is bound no more', [await resultOf(done), await resultOf(done)], [0, 1]);
    check('is deleted', !('first001' in double.state().certificates));
    await checkRefused('and unknown from then on', () => remove('first001', true),
        'FailedOperation.CertificateNotFound');
    await checkRefused('an unknown task is refused', () => resultOf('17'), 'InvalidParameterValue');
}

async function judgeSignatures(double, renewed, withToken) {
    const read = (clients) => clients.ssl.DescribeCertificates({});
    await checkRefused('a wrong secret is refused', () => read(clientsOf(double, {secretKey: 'wrong'})),
        'AuthFailure.SignatureFailure');
    await checkRefused('so is an unknown id', () => read(clientsOf(double, {secretId: 'AKIDother'})),
        'AuthFailure.SecretIdNotFound');
    await checkRefused('a token too many', () => read(clientsOf(double, {token: 'token'})),
        'AuthFailure.TokenFailure');
    await checkRefused('a token too few', () => read(clientsOf(withToken)), 'AuthFailure.TokenFailure');
    const believed = await read(clientsOf(withToken, {token: 'token'}));
    checkEqual('the right token is believed', believed.TotalCount, 1);
    const otherScope = new CommonClient('cdn.tencentcloudapi.com', '2019-12-05', configOf(double));
    await checkRefused('a signature for another service',
        () => otherScope.request('DescribeCertificates', {}), 'AuthFailure.SignatureFailure');

    await upload(clientsOf(double), renewed);
    const sent = double.requests().at(-1);
    const replayed = async (changes) => codeIn(await double.replay(sent, changes));
    const refuses = async (sentence, code, headers, changes = {}) =>
        checkEqual(sentence, await replayed({headers, ...changes}), code);
    checkEqual('a request may come twice: there is no nonce', await replayed({}), undefined);
    const wrong = 'AuthFailure.SignatureFailure';
    await refuses('another body is refused', wrong, {}, {body: sent.body.replace('certcast', 'changed!')});
    await refuses('so is another host', wrong, {host: 'cdn.tencentcloudapi.com'});
    await refuses('another content type', wrong, {'content-type': 'application/json; charset=utf-8'});
    await refuses('another second', wrong, {'x-tc-timestamp': String(sent.headers['x-tc-timestamp'] - 1)});
    const {authorization} = sent.headers;
    await refuses('another day', wrong,
        {authorization: authorization.replace(/\d{4}-\d\d-\d\d/, '2019-02-25')});
    await refuses('a host that is not signed', 'AuthFailure.InvalidAuthorization',
        {authorization: authorization.replace(';host', '')});
    await refuses('no signature', 'AuthFailure.InvalidAuthorization', {authorization: undefined});
    await refuses('another version', 'NoSuchVersion', {'x-tc-version': '2018-06-06'});
    await refuses('an unknown action', 'InvalidAction', {'x-tc-action': 'RevokeEverything'});
    await refuses('no action', 'MissingParameter', {'x-tc-action': undefined});
    await refuses('another path', 'InvalidParameter', {}, {url: '/v2'});
    await refuses('parameters in the path', 'InvalidParameter', {}, {url: '/?Limit=1'});
    await refuses('another method', 'UnsupportedProtocol', {}, {method: 'PUT'});
    await judgeHostWithPort(double);
}

// What the official client cannot be made to sign: a Host with its port, and x-tc-action. The signer below is
// believed where it agrees with the official one.
async function judgeHostWithPort(double) {
    const timestamp = Math.floor(Date.now() / 1000);
    const headers = {
        'content-type': 'application/json', host: clouds[0], 'x-tc-action': 'DescribeCertificates',
        'x-tc-version': '2019-12-05', 'x-tc-timestamp': String(timestamp)};
    const official = sign3({
        url: `https://${clouds[0]}/`, payload: Buffer.from('{}'), timestamp, service: 'ssl',
        secretId: key.access_key_id, secretKey: key.access_key_secret,
        headers: {'Content-Type': headers['content-type']}});
    checkEqual('the signer here agrees with the official one',
        authorizationOf(headers, ['content-type', 'host'], '{}'), official);
    headers.host = `127.0.0.1:${double.port}`;
    for (const signed of [['content-type', 'host'], ['content-type', 'host', 'x-tc-action']]) {
        headers.authorization = authorizationOf(headers, signed, '{}');
        const codeWith = async (changed) => codeIn(await double.send(
            {method: 'POST', headers: {...headers, ...changed}, body: '{}'}));
        checkEqual(`a host with its port is believed with ${signed.join(';')}`,
            await codeWith({}), undefined);
        checkEqual('and without it is not', await codeWith({host: '127.0.0.1'}),
            'AuthFailure.SignatureFailure');
        const isActionSigned = signed.includes('x-tc-action');
        checkEqual(`another action is ${isActionSigned ? 'seen' : 'not seen'}`,
            await codeWith({'x-tc-action': 'RevokeEverything'}),
            isActionSigned ? 'AuthFailure.SignatureFailure' : 'InvalidAction');
    }
}

function authorizationOf(headers, signed, body) {
    const hashed = (text) => crypto.createHash('sha256').update(text).digest('hex');
    const hmac = (secret, text) => crypto.createHmac('sha256', secret).update(text).digest();
    const date = new Date(headers['x-tc-timestamp'] * 1000).toISOString().slice(0, 10);
    const lines = signed.map((name) => `${name}:${headers[name].toLowerCase()}\n`).join('');
    const canonical = `POST\n/\n\n${lines}\n${signed.join(';')}\n${hashed(body)}`;
    const toSign = ['TC3-HMAC-SHA256', headers['x-tc-timestamp'], `${date}/ssl/tc3_request`,
        hashed(canonical)].join('\n');
    const signing = hmac(hmac(hmac(`TC3${key.access_key_secret}`, date), 'ssl'), 'tc3_request');
    return `TC3-HMAC-SHA256 Credential=${key.access_key_id}/${date}/ssl/tc3_request, ` +
        `SignedHeaders=${signed.join(';')}, Signature=${hmac(signing, toSign).toString('hex')}`;
}

async function judgeClocks(begin) {
    for (const clock_offset of [-600, 600]) {
        const {ssl} = clientsOf(await begin({clock_offset}));
        await checkRefused(`a clock that is off by ${clock_offset} seconds is refused`,
            () => ssl.DescribeCertificates({}), 'AuthFailure.SignatureExpire');
    }
    const {ssl} = clientsOf(await begin({clock_offset: 240}));
    checkEqual('one that is off by four minutes is not', (await ssl.DescribeCertificates({})).TotalCount, 1);
}

async function judgeParameters(double, clients, {shop, renewed}) {
    const refuses = (sentence, code, service, action, asked) =>
        checkRefused(sentence, () => clients[service][action](asked), code);
    await refuses('an unknown parameter is refused', 'UnknownParameter',
        'ssl', 'DescribeCertificates', {Colour: 'red'});
    await refuses('so is one of another type', 'InvalidParameter',
        'ssl', 'DescribeCertificates', {Limit: '10'});
    await refuses('and a missing one', 'MissingParameter', 'ssl', 'DescribeCertificateDetail', {});
    await refuses('the id of a record is text', 'InvalidParameter',
        'ssl', 'DescribeHostDeployRecordDetail', {DeployRecordId: 1001});
    await refuses('a switch is on or off', 'InvalidParameterValue',
        'cdn', 'UpdateDomainConfig', {Domain: 'shop.example', Https: {Switch: 'ON'}});
    await refuses('a page has its limit', 'InvalidParameter.CdnParamError',
        'cdn', 'DescribeDomainsConfig', {Limit: 101});
    await refuses('a filter has its names', 'InvalidParameter.CdnParamError',
        'cdn', 'DescribeDomainsConfig', {Filters: [{Name: 'colour', Value: ['red']}]});

    const last = double.requests().findLast(({action}) => action === 'DescribeCertificates');
    for (const body of ['{', 'null', '[]', '{"Limit":null}']) {
        const authorization = authorizationOf(last.headers, ['content-type', 'host'], body);
        checkEqual(`a body may not be ${body}`, codeIn(await double.replay(last,
            {body, headers: {authorization}})), 'InvalidParameter');
    }
    const answers = double.answers();
    checkEqual('a refusal comes with the status 200', [...new Set(answers.map(({answer}) => answer))], [200]);
    checkEqual('every request is recorded with its answer', answers.length, double.requests().length);
    const isIn = (text, pair) => text.includes(pair.key.split('\n')[1]);
    const text = JSON.stringify(double.state());
    check('no key has come into the state', !isIn(text, shop) && !isIn(text, renewed));
}

async function judgeNeverEnding(double, shop) {
    const clients = clientsOf(double);
    const Https = {Switch: 'on', CertInfo: {CertId: 'first001'}};
    await clients.cdn.UpdateDomainConfig({Domain: 'shop.example', Https});
    const statusOf = async () => (await configOfDomain(clients, 'shop.example')).Status;
    checkEqual('a change may never end', await allOf(statusOf), ['processing']);

    const {CertificateId} = await upload(clients, shop, {Repeatable: true});
    const {TaskId} = await clients.ssl.DeleteCertificate({CertificateId, IsCheckResource: true});
    const resultOf = async () => (await clients.ssl.DescribeDeleteCertificatesTaskResult(
        {TaskIds: [TaskId]})).DeleteTaskResult[0].Status;
    checkEqual('so may a deletion', await allOf(resultOf), [0]);

    const {DeployRecordId} = await clients.ssl.DeployCertificateInstance(
        {CertificateId, InstanceIdList: ['www.shop.example|on'], ResourceType: 'cdn'});
    const runningOf = async () => (await clients.ssl.DescribeHostDeployRecordDetail(
        {DeployRecordId: String(DeployRecordId)})).RunningTotalCount;
    checkEqual('and a deployment', await allOf(runningOf), [1]);
}

/** What reading it several times gives. */
async function allOf(read) {
    return [...new Set([await read(), await read(), await read(), await read()])];
}

async function judgeFaults(double, renewed) {
    const clients = clientsOf(double);
    const read = () => clients.ssl.DescribeCertificates({});
    double.setFaults([{on: 'DescribeCertificates', do: 'error', code: 'RequestLimitExceeded'},
        {on: 'UploadCertificate', do: 'commit_then_reset'}]);
    await checkRefused('a test may throttle', read, 'RequestLimitExceeded');
    checkEqual('once', (await read()).TotalCount, 1);
    await checkRefused('or cut off an answer', () => upload(clients, renewed), true,
        (error) => /hang up|ECONNRESET/.test(error.message));
    checkEqual('of what was done', Object.values(double.state().certificates).length, 2);
}
