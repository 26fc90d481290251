// Drives huawei_double.mjs with the client and the signer of Huawei's own SDK. Its models of SCM and CDN are
// not on npm, so paths and parameters are written here as services/scm/v3/ScmClient.ts and
// services/cdn/v2/CdnClient.ts of huaweicloud-sdk-nodejs-v3 have them: CDN's reads with "{}" as their body.
import crypto from 'node:crypto';
import https from 'node:https';
import {requireOfficial} from './double.mjs';
import {check, checkEqual, checkRefused, judge} from './judging.mjs';

const core = '@huaweicloud/huaweicloud-sdk-core';
const {HcClient} = requireOfficial(`${core}/HcClient`);
const {DefaultHttpClient} = requireOfficial(`${core}/http/DefaultHttpClient`);
const {GlobalCredentials} = requireOfficial(`${core}/auth/GlobalCredentials`);

const keys = {access_key_id: 'HWACCESSKEY', access_key_secret: 'huawei secret'};
const shop = 'shop.example.com';
const plain = 'plain.example.com';

class Client {
    constructor(double, {secret = keys.access_key_secret, token, domainId} = {}) {
        // It would log what it sends where something fails.
        const silent = {debug() {}, info() {}, warn() {}, error() {}, setLevel() {}, setName() {}};
        const options = {logger: silent,
            axiosRequestConfig: {httpsAgent: new https.Agent({ca: double.ca}), timeout: 5000}};
        const credential = new GlobalCredentials({ak: keys.access_key_id, sk: secret, securityToken: token,
            domainId});
        this.client = new HcClient(new DefaultHttpClient(options, [double.origin]))
            .withEndpoints([double.origin]).withCredential(credential);
    }

    send(method, url, {query = {}, path = {}, data, contentType = 'application/json'} = {}) {
        return this.client.sendRequest({method, url, contentType, queryParams: query, pathParams: path,
            headers: {}, data});
    }

    import(data) {
        return this.send('POST', '/v3/scm/certificates/import', {data});
    }

    list(query) {
        return this.send('GET', '/v3/scm/certificates', {query});
    }

    show(id) {
        return this.send('GET', '/v3/scm/certificates/{certificate_id}', {path: {certificate_id: id}});
    }

    delete(id) {
        return this.send('DELETE', '/v3/scm/certificates/{certificate_id}', {path: {certificate_id: id}});
    }

    httpsInfo(query) {
        return this.send('GET', '/v1.0/cdn/domains/https-certificate-info', {query, data: {}});
    }

    bind(settings) {
        return this.send('PUT', '/v1.0/cdn/domains/config-https-info', {data: {https: settings}});
    }

    domain(name) {
        return this.send('GET', '/v1.0/cdn/configuration/domains/{domain_name}',
            {path: {domain_name: name}, data: {}});
    }

    domains(query) {
        return this.send('GET', '/v1.0/cdn/domains', {query, data: {}});
    }

    async status(name) {
        return (await this.domain(name)).domain.domain_status;
    }

    /** Reads until a change is done, as often as a double with polls 1 needs. */
    async settle(name) {
        for (let reads = 0; reads < 5; reads += 1) if (await this.status(name) === 'online') return;
        throw new Error(`${name} is still being configured`);
    }
}

function refused(sentence, attempt, code) {
    return checkRefused(sentence, attempt, code, (error) => error.errorCode);
}

/** CDN says it with 200, so the client gives it as an answer. */
async function refusedByCdn(sentence, attempt, code) {
    const answer = await attempt();
    check(`${sentence} (200 ${code})`, answer.httpStatusCode === 200 && answer.error?.error_code === code,
        answer);
}

/** With 400 the code is in `error`, where the client does not look for it. */
async function wrongForCdn(sentence, double, attempt) {
    await checkRefused(sentence, attempt, 400, (error) => error.httpStatusCode);
    checkEqual(`${sentence}: the code`, double.answers().at(-1).code, 'CDN.0001');
}

function leafIn(pem) {
    return crypto.createHash('sha256').update(new crypto.X509Certificate(pem).raw).digest('hex');
}

/** What a client carries over from what it has read; access_origin_way is in https_status. */
function carriedOver({https_status: way, force_redirect_config: redirect, http2}) {
    return {access_origin_way: way, force_redirect_config: redirect, http2};
}

await judge(async ({authority, start}) => {
    const before = authority.issue([shop]);
    const first = authority.issue([shop, '*.example.com']);
    const second = authority.issue([shop, '*.example.com'], {key: 'rsa'});
    const onShop = {https_switch: 1, certificate_type: 0, cert_name: 'before', certificate: before.fullchain,
        sha256: before.sha256, key_sha256: before.key_sha256, access_origin_way: 3, force_redirect_https: 1,
        force_redirect_config: {switch: 1, redirect_type: 'https'}, http2: 1};
    const state = {domains: {[shop]: {https: onShop}, [plain]: {}, 'other.test': {}}};
    const double = await start('huawei_double.mjs', {...keys, state});
    const client = new Client(double);

    const firstId = await flow(double, client, {first, second, before});
    await refusedUploads(double, client, {first, second});
    await refusedBindings(double, client, {authority, first, second, firstId});
    await forbidden(double, client, firstId);
    await refusedSignatures(double, client);
    await faults(double, client, first);
    await otherClocks(start, first);
    await temporaryKeys(start);
    await neverDone(start, authority);
});

async function flow(double, client, {first, second, before}) {
    const upload = {name: 'shop.first', certificate: first.certificate, certificate_chain: first.chain,
        private_key: first.key};
    const {certificate_id: firstId, httpStatusCode} = await client.import(upload);
    check('an upload gives an id of 16 characters', /^scs\d{13}$/.test(firstId) && httpStatusCode === 200,
        firstId);
    checkEqual('what is kept of it has no key', double.state().certificates[firstId],
        {certificate: first.certificate, chain: first.chain, sha256: first.sha256,
            key_sha256: first.key_sha256, name: 'shop.first', status: 'UPLOAD'});
    const shown = await client.show(firstId);
    checkEqual('it is shown with its status and names', [shown.status, shown.domain, shown.sans],
        ['UPLOAD', shop, '*.example.com']);
    checkEqual('and with its fingerprint', shown.fingerprint,
        new crypto.X509Certificate(first.certificate).fingerprint.replaceAll(':', ''));

    const {total, https: [read]} = await client.httpsInfo({domain_name: shop});
    checkEqual('what a domain has is read with the certificate', [total, leafIn(read.certificate)],
        [1, before.sha256]);
    checkEqual('a domain without HTTPS is not in it',
        (await client.httpsInfo({domain_name: plain})).https, []);
    checkEqual('nor one that is not there', (await client.httpsInfo({domain_name: 'no.example'})).total, 0);

    const bound = await client.bind({domain_name: shop, https_switch: 1, certificate_type: 2,
        scm_certificate_id: firstId, cert_name: 'shop.first', ...carriedOver(read)});
    checkEqual('a binding says that it was done', [bound.status, bound.result],
        ['success', [{domain_name: shop, status: 'success', reason: null}]]);
    checkEqual('what was carried over is kept', double.state().domains[shop], {domain_status: 'configuring',
        https: {https_switch: 1, certificate_type: 2, scm_certificate_id: firstId, cert_name: 'shop.first',
            access_origin_way: 3, force_redirect_https: 1,
            force_redirect_config: {switch: 1, redirect_type: 'https'}, http2: 1}});
    await refusedByCdn('a domain that is being configured takes no other change', () => client.bind(
        {domain_name: shop, https_switch: 0}), 'CDN.0106');
    checkEqual('it is being configured for one read, then online',
        [await client.status(shop), await client.status(shop)], ['configuring', 'online']);
    const {https: [after]} = await client.httpsInfo({domain_name: shop});
    checkEqual('it has the new certificate', leafIn(after.certificate), first.sha256);
    checkEqual('and what it had besides', carriedOver(after), carriedOver(read));

    const {certificate_id: secondId} = await client.import({name: 'shop.second',
        certificate: second.fullchain, private_key: second.key, enterprise_project_id: '0'});
    checkEqual('a chain may come behind the leaf', double.state().certificates[secondId].chain, second.chain);
    await client.bind({domain_name: `${shop},${plain}`, https_switch: 1, certificate_type: 2,
        scm_certificate_id: secondId, cert_name: 'shop.second'});
    const {https: both} = await client.httpsInfo({});
    checkEqual('one binding changes several domains', both.map((one) => leafIn(one.certificate)),
        [second.sha256, second.sha256]);
    checkEqual('what is not carried over goes back to defaults', carriedOver(both[0]),
        {access_origin_way: 2, force_redirect_config: {switch: 0}, http2: 0});
    for (const name of [shop, plain]) await client.settle(name);

    const listed = await client.list({limit: 10, offset: 0, sort_dir: 'DESC', sort_key: 'certUpdateTime'});
    checkEqual('the newest is listed first', listed.certificates.map(({id}) => id), [secondId, firstId]);
    checkEqual('the list is paged', (await client.list({offset: 1})).certificates.map(({id}) => id),
        [firstId]);
    checkEqual('and searched by name', (await client.list({content: 'second'})).total_count, 1);
    await refused('a certificate that is used is not deleted', () => client.delete(secondId), 'SCM.0010');
    checkEqual('one that is not used is', (await client.delete(firstId)).httpStatusCode, 204);
    await refused('and is gone then', () => client.show(firstId), 'SCM.0020');

    const named = ({domains}) => domains.map((one) => one.domain_name);
    checkEqual('domains are found by a part of their names',
        named(await client.domains({domain_name: 'example'})), [shop, plain]);
    checkEqual('or by the whole', (await client.domains({domain_name: shop, exact_match: true})).total, 1);
    checkEqual('and are paged', named(await client.domains({page_size: 2, page_number: 2})), ['other.test']);
    return secondId;
}

async function refusedUploads(double, client, {first, second}) {
    const upload = {name: 'shop.first', certificate: first.certificate, private_key: first.key};
    const attempt = (changes) => () => client.import({...upload, ...changes});
    await refused('a key of another certificate', attempt({private_key: second.key}), 'SCM.0014');
    await refused('a certificate that is none', attempt({certificate: 'certificate'}), 'SCM.0006');
    await refused('a key that is none', attempt({private_key: 'key'}), 'SCM.0012');
    await refused('a chain that is none', attempt({certificate_chain: first.key}), 'SCM.0013');
    await refused('a name of two characters', attempt({name: 'ab'}), 'SCM.0005');
    await refused('a name with a blank', attempt({name: 'shop first'}), 'SCM.0005');
    await refused('an upload without key', attempt({private_key: undefined}), 'SCM.0005');
    await refused('a parameter that nobody knows', attempt({tags: []}), 'SCM.0005');
    await refused('a certificate of more than 4096 characters',
        attempt({certificate: first.fullchain.repeat(4)}), 'SCM.0005');
    await refused('a page of another size', () => client.list({limit: 15}), 'SCM.0005');
    await refused('an offset above 100', () => client.list({offset: 101}), 'SCM.0005');
    await refused('an id of another form', () => client.show('nobody'), 'SCM.0008');
    await refused('an id that is not there', () => client.delete('scs0000000000000'), 'SCM.0020');
    checkEqual('nothing of that was kept', Object.keys(double.state().certificates).length, 1);
}

async function refusedBindings(double, client, {authority, first, second, firstId}) {
    const binding = {domain_name: shop, https_switch: 1, certificate_type: 2, scm_certificate_id: firstId,
        cert_name: 'shop'};
    const ofItsOwn = {domain_name: shop, https_switch: 1, certificate_type: 0, cert_name: 'shop',
        certificate: first.fullchain, private_key: first.key};
    const attempt = (changes, of = binding) => () => client.bind({...of, ...changes});
    await refusedByCdn('a domain that is not there', attempt({domain_name: 'no.example.com'}), 'CDN.0105');
    await refusedByCdn('one of several that is not there',
        attempt({domain_name: `${shop},no.example.com`}), 'CDN.0105');
    await refusedByCdn('the detail of a domain that is not there', () => client.domain('no.example.com'),
        'CDN.0105');
    await refusedByCdn('a domain that the certificate is not for', attempt({domain_name: 'other.test'}),
        'CDN.0406');
    await refusedByCdn('a certificate that is not there',
        attempt({scm_certificate_id: 'scs0000000000000'}), 'CDN.0407');
    await refusedByCdn('no key', attempt({private_key: ''}, ofItsOwn), 'CDN.0402');
    await refusedByCdn('a certificate that is none', attempt({certificate: 'x'}, ofItsOwn), 'CDN.0403');
    await refusedByCdn('a key that is none', attempt({private_key: 'x'}, ofItsOwn), 'CDN.0404');
    await refusedByCdn('a key of another certificate',
        attempt({private_key: second.key}, ofItsOwn), 'CDN.0405');
    await refusedByCdn('a chain that leads elsewhere',
        attempt({certificate: first.certificate + second.certificate}, ofItsOwn), 'CDN.0410');
    const brief = authority.issue([shop], {days: 1});
    await refusedByCdn('a certificate with less than a day left', attempt(
        {certificate: brief.fullchain, private_key: brief.key}, ofItsOwn), 'CDN.0409');
    await wrongForCdn('a binding without a name', double, attempt({cert_name: undefined}));
    await wrongForCdn('a name of two characters', double, attempt({cert_name: 'ab'}));
    await wrongForCdn('a binding without an id', double, attempt({scm_certificate_id: undefined}));
    await wrongForCdn('a key beside an id', double, attempt({private_key: first.key}));
    await wrongForCdn('a certificate that CDN keeps by itself', double, attempt({certificate_type: 1}));
    await wrongForCdn('a switch that is text', double, attempt({https_switch: '1'}));
    await wrongForCdn('the old redirect to HTTP, which can only be read', double,
        attempt({force_redirect_https: 2}));
    await wrongForCdn('more than 50 domains', double, attempt({domain_name: Array(51).fill(shop).join(',')}));
    await wrongForCdn('a parameter that nobody knows', double, attempt({http3: 1}));
    checkEqual('nothing of that was bound', double.state().domains[shop].https.cert_name, 'shop.second');

    await client.bind(ofItsOwn);
    const {certificate_type: type, sha256, key_sha256: key} = double.state().domains[shop].https;
    checkEqual('a certificate of its own is bound', [type, sha256, key], [0, first.sha256, first.key_sha256]);
    await client.settle(shop);
    await client.bind({domain_name: shop, https_switch: 0});
    checkEqual('and HTTPS is turned off', (await client.httpsInfo({domain_name: shop})).https, []);
    await client.settle(shop);
}

async function forbidden(double, client, id) {
    for (const [action, operation] of [['export', 'ExportCertificate'], ['deploy', 'DeployCertificate'],
        ['push', 'PushCertificate'], ['batch-push', 'BatchPushCertificate']]) {
        await refused(`nobody may ${action}`,
            () => client.send('POST', `/v3/scm/certificates/${id}/${action}`), 'SCM.0003');
        checkEqual('and that it was tried is recorded', double.requests().at(-1).action, operation);
    }
    await refused('an unknown path', () => client.send('GET', '/v3/scm/nothing'), 'APIGW.0101');
    await refused('an unknown version', () => client.send('GET', '/v4/scm/certificates'), 'APIGW.0101');
    await refused('another method', () => client.send('POST', '/v3/scm/certificates', {data: {}}),
        'APIGW.0101');
}

async function refusedSignatures(double, client) {
    await refused('another secret', () => new Client(double, {secret: 'another'}).list(), 'APIGW.0301');
    await refused('a token where the key has none', () => new Client(double, {token: 'token'}).list(),
        'APIGW.0301');
    await refused('a body that is not signed', () => client.send('POST', '/v3/scm/certificates/import',
        {data: 'text', contentType: 'text/plain'}), 'APIGW.0301');
    await client.list({limit: 10});
    const list = double.requests().at(-1);
    const upload = double.requests().find(({action}) => action === 'ImportCertificate');
    const denied = async (sentence, request, changes, status = 401) => {
        const answer = await double.replay(request, changes);
        check(`${sentence} (${status})`, answer.status === status, answer);
    };
    await denied('another body', upload, {body: upload.body.replace('shop.first', 'shop.third')});
    await denied('another query', list, {url: list.url.replace('10', '20')});
    await denied('another path', list, {url: list.url.replace('certificates', 'certificates/scs1')});
    await denied('another method', upload, {method: 'DELETE', url: '/v3/scm/certificates/scs0000000000000'});
    await denied('another host', list, {headers: {host: 'scm.cn-north-4.myhuaweicloud.com'}});
    await denied('no signature', list, {headers: {authorization: undefined}});
    await denied('another key', list, {headers: {
        authorization: list.headers.authorization.replace(keys.access_key_id, 'ANOTHER')}});
    await denied('a date that is not signed', list, {headers: {
        authorization: list.headers.authorization.replace(';x-sdk-date', '')}});
    await denied('another date', list, {headers: {'x-sdk-date': '20200101T000000Z'}});
    await denied('the same once more, since there are no nonces', list, {}, 200);
    const withDomain = await new Client(double, {domainId: 'abc'}).list();
    checkEqual('an account beside the key', withDomain.httpStatusCode, 200);
}

async function faults(double, client, first) {
    double.setFaults([{on: 'ListCertificates', do: 'error', code: 'APIGW.0308'}]);
    await checkRefused('throttling', () => client.list(), 429, (error) => error.httpStatusCode);
    double.setFaults([{on: 'ImportCertificate', do: 'commit_then_reset'}]);
    await refused('an upload whose answer is lost', () => client.import({name: 'lost',
        certificate: first.certificate, private_key: first.key}), undefined);
    checkEqual('has been done', Object.values(double.state().certificates).at(-1).name, 'lost');
    double.setFaults([]);
}

async function otherClocks(start, fresh) {
    for (const [minutes, isTaken] of [[14, true], [-14, true], [16, false], [-16, false]]) {
        const double = await start('huawei_double.mjs', {...keys, clock_offset: minutes * 60});
        const attempt = () => new Client(double).list();
        if (isTaken) {
            checkEqual(`a clock that is ${minutes} minutes off`, (await attempt()).httpStatusCode, 200);
        } else {
            await refused(`a clock that is ${minutes} minutes off`, attempt, 'APIGW.0303');
        }
    }
    const early = await start('huawei_double.mjs',
        {...keys, clock_offset: -14 * 60, state: {domains: {[shop]: {}}}});
    await refusedByCdn('a certificate that is not valid yet by that clock', () => new Client(early).bind(
        {domain_name: shop, https_switch: 1, cert_name: 'shop', certificate: fresh.fullchain,
            private_key: fresh.key}), 'CDN.0413');
}

async function temporaryKeys(start) {
    const double = await start('huawei_double.mjs', {...keys, session_token: 'a token'});
    checkEqual('a temporary key with its token',
        (await new Client(double, {token: 'a token'}).list()).total_count, 0);
    await refused('a temporary key without it', () => new Client(double).list(), 'APIGW.0301');
    await refused('a temporary key with another', () => new Client(double, {token: 'another'}).list(),
        'APIGW.0301');
}

async function neverDone(start, authority) {
    const leaf = authority.issue([shop]);
    const double = await start('huawei_double.mjs', {...keys, polls: -1, state: {domains: {[shop]: {}}}});
    const client = new Client(double);
    await client.bind({domain_name: shop, https_switch: 1, cert_name: 'shop', certificate: leaf.fullchain,
        private_key: leaf.key});
    const seen = [];
    for (let reads = 0; reads < 4; reads += 1) seen.push(await client.status(shop));
    checkEqual('a change that never ends', new Set(seen), new Set(['configuring']));
    const atOnce = await start('huawei_double.mjs', {...keys, polls: 0, state: {domains: {[shop]: {}}}});
    await new Client(atOnce).bind({domain_name: shop, https_switch: 0});
    checkEqual('a change that is done at once', atOnce.state().domains[shop].domain_status, 'online');
}
