// Drives cloudflare_double.mjs with Cloudflare's own client.
import https from 'node:https';
import {requireOfficial} from './double.mjs';
import {check, checkEqual, checkRefused, judge} from './judging.mjs';

const {Cloudflare} = requireOfficial('cloudflare');

const token = 'Sn3lZJTBX6kkg7OdcBUAxOO963GEIyGQqnFTOFYY';
const zoneId = '023e105f4ecef8ad9ca31a8372d0c353';
const largeZone = '0123456789abcdef0123456789abcdef';
const gone = '2458ce5a-0c35-4c7f-82c7-8e9487d3ff60';
const shop = 'shop.example.com';

/** The client's own fetch would trust the authorities that the process started with, and no others. */
function fetchThat(trusts) {
    return (url, {method = 'GET', headers, body, signal}) => new Promise((resolve, reject) => {
        const options = {method, ca: trusts, signal, headers: Object.fromEntries(new Headers(headers))};
        https.request(url, options, async (answer) => {
            const parts = [];
            for await (const part of answer) parts.push(part);
            const {statusCode: status, headers: received} = answer;
            resolve(new Response(Buffer.concat(parts), {status, headers: received}));
        }).on('error', reject).end(body);
    });
}

function clientOf(double, {apiToken = token, maxRetries = 0} = {}) {
    return new Cloudflare({apiToken, maxRetries, baseURL: `${double.origin}/client/v4`,
        fetch: fetchThat(double.ca)});
}

function refused(sentence, attempt, code, status = 400) {
    return checkRefused(sentence, attempt, `${status} ${code}`,
        (error) => `${error.status} ${error.errors?.[0]?.code}`);
}

async function idsIn(pages) {
    const ids = [];
    for await (const {id} of pages) ids.push(id);
    return ids;
}

function upload({certificate, chain, key}, more) {
    return {zone_id: zoneId, certificate: certificate + chain, private_key: key, bundle_method: 'force',
        ...more};
}

await judge(async ({authority, start}) => {
    const first = authority.issue([shop, '*.example.com']);
    const second = authority.issue([shop, '*.example.com'], {key: 'rsa'});
    const third = authority.issue([shop]);
    const all = {authority, start, first, second, third};

    await ofSni(all);
    await ofLegacy(all);
    await ofSeveral(all);
    await refusedUploads(all);
    await refusedRequests(all);
    await refusedTokens(all);
    await limits(all);
    await lost(all);
    await neverDone(all);
});

function started(start, more) {
    const state = {zones: {[zoneId]: {certificates: {}, name: 'example.com'}}};
    return start('cloudflare_double.mjs', {token, state, ...more});
}

async function ofSni({start, first, second, third}) {
    const double = await started(start);
    const {customCertificates: certificates, user} = clientOf(double);
    const verified = await user.tokens.verify();
    checkEqual('the token is verified', verified.status, 'active');
    checkEqual('a zone without certificates has none', await idsIn(certificates.list({zone_id: zoneId})), []);

    const created = await certificates.create(upload(first, {type: 'sni_custom'}));
    check('an upload gives a UUID', /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(created.id),
        created.id);
    checkEqual('and what there is to know', [created.status, created.hosts, created.bundle_method],
        ['pending', [shop, '*.example.com'], 'force']);
    checkEqual('but not its content, nor its type', ['certificate', 'sha256', 'key_sha256', 'private_key',
        'type'].filter((name) => name in created), []);
    const kept = double.state().zones[zoneId].certificates[created.id];
    checkEqual('what is kept of it has no key', [kept.certificate, kept.sha256, kept.key_sha256, kept.type],
        [first.fullchain, first.sha256, first.key_sha256, 'sni_custom']);
    check('nowhere', !JSON.stringify(double.state()).includes('PRIVATE'), double.state());
    const statuses = [];
    for (let reads = 0; reads < 3; reads += 1) {
        statuses.push((await certificates.get(created.id, {zone_id: zoneId})).status);
    }
    checkEqual('it is pending for one read, then active', statuses, ['pending', 'active', 'active']);
    await refused('the zone has room for one', () => certificates.create(upload(second)), 1212);

    const edited = await certificates.edit(created.id, upload(second));
    check('a change gives another id', edited.id !== created.id, edited.id);
    checkEqual('and is pending again', edited.status, 'pending');
    await refused('the id from before is gone',
        () => certificates.get(created.id, {zone_id: zoneId}), 1002, 404);
    await refused('for a change too', () => certificates.edit(created.id, upload(third)), 1002, 404);
    await refused('and for a deletion', () => certificates.delete(created.id, {zone_id: zoneId}), 1002, 404);
    checkEqual('it is found in the list', await idsIn(certificates.list({zone_id: zoneId})), [edited.id]);
    const now = double.state().zones[zoneId].certificates;
    checkEqual('one is there, with the new certificate', Object.values(now).map((one) => one.sha256),
        [second.sha256]);
    const {bundle_method: method, ...without} = upload(third);
    const again = await certificates.edit(edited.id, without);
    checkEqual('a bundle method that is left out goes back to the default', [method, again.bundle_method],
        ['force', 'ubiquitous']);
    checkEqual('a deletion says what it deleted', await certificates.delete(again.id, {zone_id: zoneId}),
        {id: again.id});
    checkEqual('and nothing is left', double.state().zones[zoneId].certificates, {});
}

async function ofLegacy({authority, start, first, second}) {
    const double = await started(start);
    const {customCertificates: certificates} = clientOf(double);
    const created = await certificates.create(upload(first));
    checkEqual('without a type it is legacy_custom',
        double.state().zones[zoneId].certificates[created.id].type, 'legacy_custom');
    const edited = await certificates.edit(created.id, upload(second));
    checkEqual('a change of legacy_custom keeps the id', edited.id, created.id);
    checkEqual('with the new certificate', double.state().zones[zoneId].certificates[created.id].sha256,
        second.sha256);
    const renewed = authority.issue([shop], {key: second.key});
    await certificates.edit(created.id, {zone_id: zoneId, certificate: renewed.fullchain});
    checkEqual('a certificate for the same key comes without it',
        double.state().zones[zoneId].certificates[created.id].key_sha256, second.key_sha256);
    await refused('one for another does not', () => certificates.edit(created.id,
        {zone_id: zoneId, certificate: first.fullchain}), 2200);
    await refused('nor a key for another', () => certificates.edit(created.id,
        {zone_id: zoneId, private_key: first.key}), 2200);
    await refused('nor nothing', () => certificates.edit(created.id, {zone_id: zoneId}), 2001);

    const keeping = await started(start, {keep_id: true});
    const {customCertificates: kept} = clientOf(keeping);
    const {id} = await kept.create(upload(first, {type: 'sni_custom'}));
    checkEqual('a double may keep the id of sni_custom', (await kept.edit(id, upload(second))).id, id);
}

async function ofSeveral({authority, start, first}) {
    const made = Array.from({length: 12}, (_, at) => [`${gone.slice(0, -2)}${10 + at}`, {
        certificate: first.certificate, sha256: String(at), key_sha256: '', hosts: [shop], issuer: 'Somebody',
        status: at < 6 ? 'active' : 'expired', bundle_method: 'force', type: 'legacy_custom',
        expires_on: '2030-01-01T00:00:00Z', uploaded_on: '2020-01-01T00:00:00Z',
        modified_on: '2020-01-01T00:00:00Z', priority: at}]);
    const ids = made.map(([id]) => id);
    const state = {zones: {[largeZone]: {certificates: Object.fromEntries(made), quota: 20}}};
    const double = await started(start, {state});
    const {customCertificates: certificates} = clientOf(double);
    const page = await certificates.list({zone_id: largeZone, page: 2, per_page: 5});
    checkEqual('a list is paged', [page.result.map(({id}) => id), page.result_info],
        [ids.slice(5, 10), {page: 2, per_page: 5, count: 5, total_count: 12}]);
    checkEqual('the client finds all pages',
        await idsIn(certificates.list({zone_id: largeZone, per_page: 5})), ids);
    checkEqual('or those of a status', await idsIn(certificates.list({zone_id: largeZone, status: 'active'})),
        ids.slice(0, 6));
    const ordered = await idsIn(certificates.prioritize.update({zone_id: largeZone,
        certificates: [{id: ids[0], priority: 99}]}));
    checkEqual('a priority changes the order', ordered.slice(0, 2), [ids[0], ids[11]]);
    checkEqual('and is kept', double.state().zones[largeZone].certificates[ids[0]].priority, 99);
    const prioritize = (one) => () => certificates.prioritize.update(
        {zone_id: largeZone, certificates: [one]});
    await refused('a priority of an id that is not there', prioritize({id: gone, priority: 1}), 1002, 404);
    await refused('a priority without id', prioritize({priority: 1}), 2001);
    const more = authority.issue([shop]);
    const {id} = await certificates.create({...upload(more), zone_id: largeZone});
    checkEqual('there is room for more',
        Object.keys(double.state().zones[largeZone].certificates).length, 13);
    await refused('but not twice for the same',
        () => certificates.create({...upload(more), zone_id: largeZone}), 1220);
    checkEqual('which may be changed to itself',
        (await certificates.edit(id, {...upload(more), zone_id: largeZone})).id, id);
}

async function refusedUploads({authority, start, first, second}) {
    const double = await started(start, {public: false});
    const {customCertificates: certificates} = clientOf(double);
    const attempt = (changes) => () => certificates.create(upload(first, changes));
    await refused('a certificate that is none', attempt({certificate: 'certificate'}), 1002);
    await refused('a key that is none', attempt({private_key: 'key'}), 2106);
    await refused('a key with its parameters before it', attempt({private_key:
        `-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n${first.key}`}), 2106);
    await refused('a key of another certificate', attempt({private_key: second.key}), 2200);
    await refused('a chain without a leaf', attempt({certificate: first.chain + authority.ca}), 2101);
    await refused('a chain that leads elsewhere',
        attempt({certificate: first.certificate + second.certificate}), 2100);
    await refused('an authority that is not public', attempt({bundle_method: 'ubiquitous'}), 2100);
    await refused('the same by default', attempt({bundle_method: undefined}), 2100);
    const elsewhere = authority.issue(['shop.example.org']);
    await refused('a certificate for no host of the zone', () => certificates.create(upload(elsewhere)),
        2103);
    const brief = authority.issue([shop], {days: 13});
    await refused('a certificate with less than 14 days left', () => certificates.create(upload(brief)),
        1206);
    await refused('another bundle method', attempt({bundle_method: 'compatible'}), 2001);
    await refused('another type', attempt({type: 'custom'}), 2001);
    await refused('an upload without key', attempt({private_key: undefined}), 2001);
    await refused('a parameter that nobody knows', attempt({tags: []}), 2001);
    checkEqual('nothing of that was kept', double.state().zones[zoneId].certificates, {});

    const trusting = clientOf(await started(start)).customCertificates;
    const method = 'ubiquitous';
    await refused('a root behind the chain', () => trusting.create(upload(first,
        {bundle_method: method, certificate: first.fullchain + authority.ca})), 2100);
    const {bundle_method: taken} = await trusting.create(upload(first, {bundle_method: undefined}));
    checkEqual('a public authority needs no method', taken, method);
}

async function refusedRequests({start, first}) {
    const double = await started(start);
    const client = clientOf(double);
    const {customCertificates: certificates} = client;
    await refused('a zone that is not there', () => certificates.list({zone_id: largeZone}), 9109, 403);
    await refused('a zone that cannot be', () => certificates.list({zone_id: 'example.com'}), 7003, 404);
    await refused('an id that cannot be', () => certificates.get('first', {zone_id: zoneId}), 7003, 404);
    await refused('an id that is not there', () => certificates.get(gone, {zone_id: zoneId}), 1002, 404);
    await refused('a page of another size', () => certificates.list({zone_id: zoneId, per_page: 51}), 2001);
    await refused('a page before the first', () => certificates.list({zone_id: zoneId, page: 0}), 2001);
    await refused('another status', () => certificates.list({zone_id: zoneId, status: 'bound'}), 2001);
    await refused('an unknown path', () => client.get('/zones/nothing/at/all'), 7000, 404);
    await refused('another version', () => new Cloudflare({apiToken: token, maxRetries: 0,
        baseURL: `${double.origin}/client/v5`, fetch: fetchThat(double.ca)}).user.tokens.verify(), 7000, 404);
    await refused('a body of another kind', () => certificates.create(upload(first),
        {headers: {'content-type': 'text/plain'}}), 6003);

    const other = clientOf(await started(start, {gone_status: 400})).customCertificates;
    await refused('a change of an id that is gone may say 400', () => other.edit(gone, upload(first)),
        1002);
}

async function refusedTokens({start}) {
    const double = await started(start);
    const listed = (apiToken) => () => clientOf(double, {apiToken}).customCertificates
        .list({zone_id: zoneId});
    await refused('another token', listed('another'), 10000, 403);
    await refused('a token with a blank', listed('two words'), 6003);
    await refused('a token to verify', () => clientOf(double, {apiToken: 'another'}).user.tokens.verify(),
        1000, 401);
    const answer = await double.send({url: `/client/v4/zones/${zoneId}/custom_certificates`});
    checkEqual('no token (400 9106)', [answer.status, JSON.parse(answer.body).errors[0].code], [400, 9106]);
}

async function limits({start}) {
    const double = await started(start);
    double.setFaults([{on: 'ListCustomCertificates', do: 'error', code: 10429, status: 429}]);
    const before = Date.now();
    const patient = clientOf(double, {maxRetries: 1}).customCertificates;
    checkEqual('the client waits as it is told, and tries once more',
        (await patient.list({zone_id: zoneId})).result, []);
    check('for a second', Date.now() - before >= 1000, Date.now() - before);
    double.setFaults([{on: '*', do: 'error', code: 10429, status: 429, headers: {'retry-after': '7'}}]);
    await checkRefused('a limit says how long to wait', () => clientOf(double).user.tokens.verify(), '429 7',
        (error) => `${error.status} ${error.headers.get('retry-after')}`);
}

async function lost({start, first}) {
    const double = await started(start);
    const {customCertificates: certificates} = clientOf(double);
    double.setFaults([{on: 'CreateCustomCertificate', do: 'commit_then_reset'}]);
    await checkRefused('an upload whose answer is lost', () => certificates.create(upload(first)),
        'APIConnectionError', (error) => error.constructor.name);
    await refused('is there when it is tried again', () => certificates.create(upload(first)), 1220);
}

async function neverDone({start, first}) {
    const double = await started(start, {polls: -1});
    const {customCertificates: certificates} = clientOf(double);
    const {id} = await certificates.create(upload(first));
    const seen = new Set();
    for (let reads = 0; reads < 4; reads += 1) {
        seen.add((await certificates.get(id, {zone_id: zoneId})).status);
    }
    checkEqual('a certificate that is never active', seen, new Set(['pending']));
    const atOnce = await started(start, {polls: 0});
    checkEqual('a certificate that is active at once',
        (await clientOf(atOnce).customCertificates.create(upload(first))).status, 'active');
}
