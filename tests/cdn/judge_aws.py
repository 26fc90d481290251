"""Judges aws_double.py and metadata_double.py by AWS' own clients: boto3, botocore, and Debian's awscli
where there is one.

    python3 judge_aws.py

Prints a line per check; ends with 0 where all are ok.
"""
import hashlib
import http.client
import json
import os
import pathlib
import re
import ssl
import subprocess
import sys
import tempfile
import threading

sys.dont_write_bytecode = True

from botocore.utils import InstanceMetadataFetcher  # noqa: E402

from judging_aws import KEY, Certificates, Running, check, equal, error_of, failures, refused  # noqa: E402

AWSCLI = '/usr/bin/aws'
ALL_KEY_TYPES = {'keyTypes': ['RSA_2048', 'EC_prime256v1']}
LARGE = 'arn:aws:acm:us-east-1:123456789012:certificate/00000000-0000-0000-0000-000000000003'
ELSEWHERE = 'arn:aws:acm:eu-west-1:123456789012:certificate/00000000-0000-0000-0000-000000000001'
NOWHERE = 'arn:aws:acm:us-east-1:123456789012:certificate/00000000-0000-0000-0000-000000000002'
CONFIG = ('<?xml version="1.0" encoding="UTF-8"?>\n'
          '<DistributionConfig xmlns="http://cloudfront.amazonaws.com/doc/2020-05-31/">'
          '<CallerReference>caf\u00e9-{alias}</CallerReference>'
          '<Aliases><Quantity>1</Quantity><Items><CNAME>{alias}</CNAME></Items></Aliases>'
          '<Origins><Quantity>1</Quantity><Items><Origin><Id>shop</Id><DomainName>o.test</DomainName>'
          '<FutureOrigin a="1"/></Origin></Items></Origins>'
          '<DefaultCacheBehavior><TargetOriginId>shop</TargetOriginId>'
          '<ViewerProtocolPolicy>https-only</ViewerProtocolPolicy></DefaultCacheBehavior>'
          '<Comment>a &amp; b</Comment><Enabled>true</Enabled>'
          '<ViewerCertificate>{viewer}</ViewerCertificate>'
          '<FutureSetting><Deep>1</Deep></FutureSetting></DistributionConfig>')
VIEWER = ('<ACMCertificateArn>{}</ACMCertificateArn><SSLSupportMethod>sni-only</SSLSupportMethod>'
          '<MinimumProtocolVersion>TLSv1.2_2025</MinimumProtocolVersion>')

def acm_flow(made, double):
    acm = double.client('acm')
    tags = [{'Key': 'certcast', 'Value': 'shop'}]
    arn = acm.import_certificate(**made.material('shop'), Tags=tags)['CertificateArn']
    check(arn.startswith('arn:aws:acm:us-east-1:123456789012:certificate/'), 'an import gives an ARN', arn)
    kept = double.state()['certificates'][arn]
    equal([kept[name] for name in ('sha256', 'key_sha256', 'key_algorithm', 'tags', 'imported')],
          [made.sha256('shop'), made.key_sha256('shop'), 'EC_prime256v1', tags, 1],
          'the state has what was imported')
    check('PRIVATE' not in (double.folder / 'state.json').read_text(), 'the state has no private key')
    equal(acm.list_tags_for_certificate(CertificateArn=arn)['Tags'], tags, 'the tags of an import are kept')
    acm.add_tags_to_certificate(CertificateArn=arn, Tags=[{'Key': 'certcast', 'Value': 'b'}, {'Key': 'more'}])
    equal(acm.list_tags_for_certificate(CertificateArn=arn)['Tags'],
          [{'Key': 'certcast', 'Value': 'b'}, {'Key': 'more'}], 'a tag that is there gets its new value')
    found = acm.describe_certificate(CertificateArn=arn)['Certificate']
    equal([found[name] for name in ('Type', 'Status', 'KeyAlgorithm', 'InUseBy', 'SubjectAlternativeNames')],
          ['IMPORTED', 'ISSUED', 'EC_prime256v1', [], ['shop.test', '*.shop.test']], 'it is described')
    serial = made.openssl('x509', '-in', 'shop.pem', '-noout', '-serial').decode().strip().lower()
    equal('serial=' + found['Serial'].replace(':', ''), serial, 'its serial number is described')
    got = acm.get_certificate(CertificateArn=arn)
    equal(hashlib.sha256(ssl.PEM_cert_to_DER_cert(got['Certificate'])).hexdigest(), made.sha256('shop'),
          'it is read back exactly')
    equal(got['CertificateChain'].count('BEGIN'), 2, 'its chain is read back')
    rsa = acm.import_certificate(**made.material('rsashop', chain=['rsa']))['CertificateArn']
    equal(acm.describe_certificate(CertificateArn=rsa)['Certificate']['KeyAlgorithm'], 'RSA-2048',
          'an RSA key is described with a hyphen')
    equal(double.state()['certificates'][rsa]['key_sha256'], made.key_sha256('rsashop'),
          'the state knows an RSA key as well')
    equal(arns_of(acm.list_certificates()), [rsa], 'without a filter RSA certificates alone are listed')
    pages = list(acm.get_paginator('list_certificates').paginate(Includes=ALL_KEY_TYPES))
    equal([arns_of(page) for page in pages], [[arn], [rsa]], 'a list comes by pages')
    refused('InvalidArgsException', 'a token goes on with its own list only',
            lambda: acm.list_certificates(NextToken=pages[0]['NextToken']))
    equal(acm.import_certificate(**made.material('shop2'), CertificateArn=arn)['CertificateArn'], arn,
          'an import anew keeps the ARN')
    kept = double.state()['certificates'][arn]
    equal([kept['sha256'], kept['key_sha256'], kept['imported'], len(kept['tags'])],
          [made.sha256('shop2'), made.key_sha256('shop2'), 2, 2], 'an import anew replaces all but the tags')
    return arn, rsa


def acm_refusals(made, double, arn):
    acm = double.client('acm')
    before = double.state()

    def no(code, sentence, name, *key, chain=('sub', 'ec'), **more):
        given = {**made.material(name, *key, chain=chain), **more}
        return refused(code, sentence, lambda: acm.import_certificate(**given), 400)

    def ill(code, sentence, body, action='ListCertificates'):
        equal(refused_json(double.acm(action, body)), code, sentence)

    invalid = 'ValidationException'
    no(invalid, 'another key type is refused on an import anew', 'rsashop', chain=['rsa'], CertificateArn=arn)
    no(invalid, 'tags are refused on an import anew', 'shop', CertificateArn=arn, Tags=[{'Key': 'a'}])
    no(invalid, 'a key usage cannot go on an import anew', 'fewer', CertificateArn=arn)
    no('ResourceNotFoundException', 'an import anew of what is not there is refused', 'shop',
       CertificateArn=NOWHERE)
    no('InvalidTagException', 'a tag of AWS is refused', 'shop', Tags=[{'Key': 'aws:a'}])
    no(invalid, 'a tag key has its pattern', 'shop', Tags=[{'Key': 'a!'}])
    no(invalid, 'a key that is not the certificate\'s is refused', 'shop', 'shop2')
    no(invalid, 'an encrypted key is refused', 'shop', 'locked')
    no(invalid, 'an expired certificate is refused', 'old')
    no(invalid, 'two certificates in one field are refused', 'shop',
       Certificate=made.pem('shop') + made.pem('sub'))
    no(invalid, 'what is no PEM is refused', 'shop', Certificate=b'-----BEGIN CERTIFICATE-----\nx')
    no(invalid, 'a line too many is refused', 'shop', Certificate=b'\n' + made.pem('shop'))
    no(invalid, 'a certificate without a name is refused', 'nameless')
    message = no(invalid, 'a certificate too large is refused', 'shop', Certificate=b'x' * 32769)
    check('32768' in message, 'and told the limit', message)
    message = no(invalid, 'a key too large is refused', 'shop', PrivateKey=b'x' * 5121)
    check('5120' in message, 'and told the limit', message)
    no(invalid, 'a chain of others is refused', 'shop', chain=['rsa'])
    no(invalid, 'a chain out of order is refused', 'shop', chain=['sub', 'sub', 'ec'])
    no(invalid, 'the certificate itself in its chain is refused', 'shop', chain=['shop', 'sub'])
    no(invalid, 'a key of another kind than the issuer\'s is refused', 'mixed', chain=['rsa'])
    bare = {name: part for name, part in made.material('shop').items() if name != 'CertificateChain'}
    refused(invalid, 'a certificate of an authority without its chain is refused',
            lambda: acm.import_certificate(**bare))
    refused('ResourceNotFoundException', 'an unknown ARN is refused',
            lambda: acm.describe_certificate(CertificateArn=NOWHERE))
    refused('ResourceNotFoundException', 'an ARN of another region is refused',
            lambda: acm.get_certificate(CertificateArn=ELSEWHERE))
    refused('InvalidArnException', 'an ARN of something else is refused',
            lambda: acm.delete_certificate(CertificateArn='arn:aws:acm:us-east-1:123456789012:other/1'))
    refused(invalid, 'an ARN has its pattern', lambda: acm.delete_certificate(CertificateArn='shop' * 9))
    refused(invalid, 'a key type has its enumeration',
            lambda: acm.list_certificates(Includes={'keyTypes': ['RSA-2048']}))
    refused(invalid, 'SortBy goes with SortOrder', lambda: acm.list_certificates(SortBy='CREATED_AT'))
    form = 'SerializationException'
    ill(form, 'an unknown member is refused', b'{"Maxitems":1}')
    ill(form, 'a member of another type is refused', b'{"MaxItems":"1"}')
    ill(form, 'a boolean is no number', b'{"MaxItems":true}')
    ill(invalid, 'a number has its limit', b'{"MaxItems":1001}')
    ill(invalid, 'a member that is missing is refused', b'{}', 'DescribeCertificate')
    ill(form, 'what is no JSON is refused', b'{')
    ill(form, 'what is no object is refused', b'[]')
    ill(form, 'what is no base64 is refused', b'{"Certificate":"*","PrivateKey":"AA=="}', 'ImportCertificate')
    ill('UnknownOperationException', 'an unknown operation is refused', b'{}', 'ExportEverything')
    equal(double.state(), before, 'what is refused changes nothing')


def arns_of(page):
    return [one['CertificateArn'] for one in page['CertificateSummaryList']]


def refused_json(answer):
    return json.loads(answer[1]).get('__type') if answer[0] == 400 else answer


def cloudfront_flow(made, double, arn, rsa):
    cloudfront, acm = double.client('cloudfront'), double.client('acm')
    path = '/2020-05-31/distribution/EDISTRIBUTION1/config'
    status, text, headers = double.send('GET', path)
    start = double.state()['distributions']['EDISTRIBUTION1']
    equal((status, headers['ETag']), (200, start['etag']), 'a configuration comes with its ETag')
    check('<CertificateSource>cloudfront<' in text, 'CloudFront adds the deprecated names', text)
    lagging = acm.import_certificate(**made.material('shop'))['CertificateArn']
    changed = with_viewer(text, lagging)

    def put(body, etag):
        return double.send('PUT', path, body.encode(), {'If-Match': etag, 'Content-Type': 'application/xml'})

    equal([code_of(put(with_viewer(text, one), start['etag'])) for one in (arn, rsa, lagging)],
          [(400, 'InvalidViewerCertificate')] * 3, 'CloudFront does not know a new certificate at once')
    status, body, headers = put(changed, start['etag'])
    equal((status, '<Status>InProgress<' in body), (200, True), 'a change of the certificate is taken')
    kept = double.state()['distributions']['EDISTRIBUTION1']
    equal((kept['config'], kept['etag'], kept['status']), (changed, headers['ETag'], 'InProgress'),
          'the configuration is kept byte for byte, with what the model does not know')
    equal(acm.describe_certificate(CertificateArn=lagging)['Certificate']['InUseBy'],
          ['arn:aws:cloudfront::123456789012:distribution/EDISTRIBUTION1'], 'the certificate is in use')
    refused('ResourceInUseException', 'a certificate in use is not deleted',
            lambda: acm.delete_certificate(CertificateArn=lagging), 400)
    equal(code_of(put(changed, start['etag'])), (412, 'PreconditionFailed'), 'a stale ETag is refused')
    equal(code_of(put(with_viewer(changed, rsa), kept['etag'])), (400, 'IllegalUpdate'),
          'one change of the certificate at a time')
    equal(put(changed.replace('a &amp; b', 'c'), kept['etag'])[0], 200, 'another change meanwhile is taken')
    equal([cloudfront.get_distribution(Id='EDISTRIBUTION1')['Distribution']['Status'] for _ in range(2)],
          ['InProgress', 'Deployed'], 'it is deployed after one more look')
    equal(double.state()['distributions']['EDISTRIBUTION1']['status'], 'Deployed', 'the state says so')

    got = cloudfront.get_distribution_config(Id='EDISTRIBUTION1')
    config = got['DistributionConfig']
    equal(config['ViewerCertificate']['Certificate'], lagging, 'boto3 reads a configuration')

    def update():
        return cloudfront.update_distribution(Id='EDISTRIBUTION1', IfMatch=got['ETag'],
                                              DistributionConfig=config)

    config['ViewerCertificate'].update(viewer_of(rsa))
    refused('InvalidViewerCertificate', 'deprecated names that say something else are refused', update)
    config['ViewerCertificate'] = viewer_of(rsa)
    equal(update()['Distribution']['Status'], 'InProgress', 'boto3 updates a distribution')
    kept = double.state()['distributions']['EDISTRIBUTION1']['config']
    check('Future' not in kept, 'a client that drops what it does not know is seen to', kept)
    refused('ResourceInUseException', 'the former certificate is in use until all is deployed',
            lambda: acm.delete_certificate(CertificateArn=lagging))
    cloudfront.get_waiter('distribution_deployed').wait(Id='EDISTRIBUTION1', WaiterConfig={'Delay': 0})
    acm.delete_certificate(CertificateArn=lagging)
    check(lagging not in double.state()['certificates'], 'it is deleted then')
    listed = [arns_of(page) for _ in range(2)
              for page in acm.get_paginator('list_certificates').paginate(Includes=ALL_KEY_TYPES)]
    equal(listed, [[arn], [rsa], [lagging], [arn], [rsa]], 'a deleted certificate is listed once more')
    refused('ResourceNotFoundException', 'and is not described', lambda: acm.describe_certificate(
        CertificateArn=lagging))
    listing = cloudfront.get_paginator('list_distributions').paginate().build_full_result()
    equal([(one['Id'], one['Aliases']['Items']) for one in listing['DistributionList']['Items']],
          [('EDISTRIBUTION1', ['www.shop.test']), ('EDISTRIBUTION2', ['two.shop.test'])],
          'distributions are listed by pages')


def with_viewer(config, arn):
    return re.sub('(?<=<ViewerCertificate>).*(?=</ViewerCertificate>)', VIEWER.format(arn), config)


def viewer_of(arn):
    return {'ACMCertificateArn': arn, 'SSLSupportMethod': 'sni-only',
            'MinimumProtocolVersion': 'TLSv1.2_2021'}


def code_of(answer):
    return answer[0], ''.join(re.findall('<Code>(.*)</Code>', answer[1]))


def cloudfront_refusals(double, arn):
    path = '/2020-05-31/distribution/EDISTRIBUTION2/config'
    _, text, headers = double.send('GET', path)
    before = double.state()

    def no(status, code, sentence, config, **more):
        sent = {'If-Match': headers['ETag'], 'Content-Type': 'application/xml', **more}
        equal(code_of(double.send('PUT', path, config.encode(), sent)), (status, code), sentence)

    good = with_viewer(text, arn)
    equal(code_of(double.send('PUT', path, good.encode())), (400, 'InvalidIfMatchVersion'),
          'an update without If-Match is refused')
    no(400, 'MissingBody', 'an update without a body is refused', '')
    no(400, 'MalformedXML', 'what is no XML is refused', good[:-1])
    no(400, 'MalformedXML', 'another namespace is refused', good.replace('2020-05-31', '2019-03-26'))
    no(400, 'MalformedXML', 'a document type is refused', '<!DOCTYPE a>' + good.partition('\n')[2])
    no(400, 'MalformedXML', 'another type of content is refused', good, **{'Content-Type': 'text/plain'})
    no(400, 'MalformedXML', 'an element that is missing is refused',
       good.replace('<Enabled>true</Enabled>', ''))
    no(400, 'MalformedXML', 'an element that is there twice is refused',
       good.replace('<Enabled>', '<Enabled>true</Enabled><Enabled>'))
    no(400, 'MalformedXML', 'a boolean is true or false', good.replace('<Enabled>true', '<Enabled>True'))
    no(400, 'MalformedXML', 'an enumeration has its values', good.replace('TLSv1.2_2025', 'TLSv1.2_1999'))
    no(400, 'MalformedInput', 'an empty list is refused',
       good.replace('<Enabled>', '<CacheBehaviors><Quantity>0</Quantity><Items/></CacheBehaviors><Enabled>'))
    no(400, 'InconsistentQuantities', 'a list has as many parts as it says',
       good.replace('<Aliases><Quantity>1', '<Aliases><Quantity>2'))
    no(400, 'IllegalUpdate', 'the CallerReference stays', good.replace('caf\u00e9', 'bar'))
    no(409, 'CNAMEAlreadyExists', 'an alias is of one distribution', good.replace('<CNAME>two', '<CNAME>www'))
    unusable = 'InvalidViewerCertificate'
    no(400, unusable, 'an unknown certificate is refused', with_viewer(text, NOWHERE))
    no(400, unusable, 'a certificate of another region is refused', with_viewer(text, ELSEWHERE))
    no(400, unusable, 'a certificate covers the aliases', good.replace('<CNAME>two.shop', '<CNAME>two'))
    no(400, unusable, 'an alias wants a certificate',
       re.sub('<ACM.*2025</MinimumProtocolVersion>',
              '<CloudFrontDefaultCertificate>true</CloudFrontDefaultCertificate>', good))
    no(400, unusable, 'the default certificate goes with no other',
       good.replace('<ACM', '<CloudFrontDefaultCertificate>true</CloudFrontDefaultCertificate><ACM'))
    no(400, unusable, 'a certificate goes with a method', good.replace(
        '<SSLSupportMethod>sni-only</SSLSupportMethod>', ''))
    no(400, 'InvalidMinimumProtocolVersion', 'SNI goes with TLS', good.replace('TLSv1.2_2025', 'SSLv3'))
    equal(code_of(double.send('GET', path.replace('2', '3')))[1], 'UnknownOperationException',
          'another version of the API is refused')
    equal(code_of(double.send('GET', '/2020-05-31/distribution/ENOTHING'))[1], 'NoSuchDistribution',
          'an unknown distribution is refused')
    equal(code_of(double.send('POST', path))[1], 'UnknownOperationException', 'another method is refused')
    equal(code_of(double.send('GET', '/2020-05-31/distribution?Limit=1'))[1], 'InvalidArgument',
          'an unknown parameter is refused')
    equal(double.state(), before, 'what CloudFront refuses changes nothing')


def signatures(made, double):
    def acm(region='us-east-1', **credentials):
        return double.client('acm', region, **credentials).list_certificates()

    def cloudfront(**credentials):
        return double.client('cloudfront', **credentials).list_distributions()

    unknown = 'UnrecognizedClientException'

    message = refused('InvalidSignatureException', 'a wrong secret is refused by ACM',
                      lambda: acm(access_key_secret='x'), 400)
    check('Canonical String' in message, 'and told what should have been signed', message)
    refused('SignatureDoesNotMatch', 'a wrong secret is refused by CloudFront',
            lambda: cloudfront(access_key_secret='x'), 403)
    refused(unknown, 'an unknown key is refused by ACM', lambda: acm(access_key_id='x'), 400)
    refused('InvalidClientTokenId', 'an unknown key is refused by CloudFront',
            lambda: cloudfront(access_key_id='x'), 403)
    refused(unknown, 'a session token that is none is refused', lambda: acm(session_token='x'))
    refused('InvalidSignatureException', 'another region is refused', lambda: acm(region='eu-west-1'))

    for offset, words in ((600, 'Signature expired'), (-600, 'Signature not yet current')):
        other = Running(made, clock_offset=offset)
        message = refused('InvalidSignatureException', f'a clock {offset} s ahead refuses, in ACM',
                          other.client('acm').list_certificates, 400)
        check(message.startswith(words), 'and says so', message)
        refused('SignatureDoesNotMatch', f'a clock {offset} s ahead refuses, in CloudFront',
                other.client('cloudfront').list_distributions, 403)
        other.stop()

    path = '/2020-05-31/distribution'

    def tampered(sentence, tamper, code='SignatureDoesNotMatch', signed=path, **headers):
        equal(code_of(double.send('GET', signed, headers=headers, tamper=tamper))[1], code, sentence)

    def without(sent):
        del sent['headers']['Authorization']

    def sets(where, value):
        return lambda sent: sent.__setitem__(where, value)

    def sets_header(name, value):
        return lambda sent: sent['headers'].__setitem__(name, value)

    def replaces(old, new):
        return lambda sent: sent['headers'].__setitem__(
            'Authorization', sent['headers']['Authorization'].replace(old, new))

    tampered('a body that was not signed is refused', sets('body', b'x'))
    tampered('a path that was not signed is refused', sets('path', path + '/E1'))
    tampered('a query that was not signed is refused', sets('path', path + '?MaxItems=1'))
    tampered('a header of AWS that was not signed is refused', sets_header('X-Amz-Other', '1'))
    tampered('a type of content that was not signed is refused', sets_header('Content-Type', 'text/xml'))
    tampered('a hash that is not the body\'s is refused', None, **{'X-Amz-Content-SHA256': '0' * 64})
    tampered('an unsigned payload is refused', None, **{'X-Amz-Content-SHA256': 'UNSIGNED-PAYLOAD'})
    tampered('a host that was not signed is refused', sets_header('Host', 'localhost'))
    tampered('another service\'s scope is refused', replaces('/cloudfront/', '/acm/'))
    tampered('no signature is refused', without, 'MissingAuthenticationToken')
    tampered('half a signature is refused', replaces('Signature=', 'Sign='), 'IncompleteSignature')
    tampered('a query that is signed as sent and not encoded is refused', None, signed=path + '?Marker=a/b')
    equal(refused_json(double.acm('ListCertificates', b'{}', sets('body', b'{"MaxItems":1}'))),
          'InvalidSignatureException', 'ACM refuses a body that was not signed')
    equal(refused_json(double.acm('ListCertificates', b'{}', without)), 'MissingAuthenticationTokenException',
          'ACM refuses no signature')
    equal(refused_json(double.acm('ListCertificates', b'{}', replaces('Credential=', 'C='))),
          'IncompleteSignatureException', 'ACM refuses half a signature')


def faults(made, double):
    acm = double.client('acm')
    shop = made.material('shop')

    def arns():
        return set(double.state()['certificates'])

    double.faults({'on': 'ListCertificates', 'skip': 1, 'times': 2, 'do': 'error',
                   'code': 'ThrottlingException', 'message': 'Rate exceeded'})
    acm.list_certificates()
    refused('ThrottlingException', 'a fault waits and then hits', acm.list_certificates, 400)
    double.client('acm', attempts=4).list_certificates()
    equal([line.get('code') for line in double.requests() if 'answer' in line][-4:],
          [None, 'ThrottlingException', 'ThrottlingException', None], 'boto3 tries again what is throttled')
    double.faults({'on': 'GetDistribution', 'do': 'error', 'code': 'NoSuchDistribution'},
                  {'on': '*', 'do': 'error', 'code': 'ServiceUnavailable', 'status': 503,
                   'headers': {'Retry-After': '7'}})
    path = '/2020-05-31/distribution'
    equal(code_of(double.send('GET', path + '/E1'))[0], 404, 'an error has the status of its code')
    status, text, headers = double.send('GET', path)
    equal((status, headers['Retry-After'], '<Type>Receiver</Type>' in text), (503, '7', True),
          'an error has the status and headers that are asked for')
    double.faults({'on': '*', 'times': -1, 'do': 'answer', 'status': 502, 'body': '<html>'})
    equal(double.send('GET', '/x')[:2], (502, '<html>'), 'an answer is what is asked for')
    refused('SignatureDoesNotMatch', 'the signature is checked first all the same',
            double.client('cloudfront', access_key_secret='x').list_distributions)
    double.faults({'on': '*', 'do': 'reset'})
    check(double.is_reset(), 'a reset is one of the connection')
    for kind, is_done in (('reset', False), ('hang', False), ('truncate', True),
                          ('commit_then_reset', True), ('commit_then_hang', True)):
        double.faults({'on': 'ImportCertificate', 'do': kind})
        before = arns()
        hasty = double.client('acm', timeout=0.5)
        came = error_of(lambda: hasty.import_certificate(**shop)['CertificateArn'])
        check(came and (came == 'ReadTimeoutError') == ('hang' in kind), f'{kind}: there is no answer', came)
        equal(len(arns() - before), int(is_done), f'{kind}: it is {"done" if is_done else "not done"}')
        wanted = 200 if kind == 'truncate' else None
        equal(double.requests()[-1], {'answer': wanted, 'action': 'ImportCertificate', 'code': None},
              f'{kind}: it is recorded')
    double.faults({'on': 'ListCertificates', 'do': 'hang'})
    waiting = threading.Thread(target=lambda: error_of(double.client('acm', timeout=1).list_certificates))
    waiting.start()
    equal(double.send('GET', path)[0], 200, 'one that waits is in nobody\'s way')
    waiting.join()
    double.faults()
    line = [one for one in double.requests() if one['action'] == 'ImportCertificate' and 'url' in one][0]
    equal((line['method'], line['url'], line['headers']['x-amz-target'], 'PrivateKey' in line['body']),
          ('POST', '/', 'CertificateManager.ImportCertificate', True), 'requests are recorded as they came')


def never_ending(made, config):
    bare = {'certificate': made.pem('shop').decode(), 'chain': made.pem('sub').decode()}
    double = Running(made, polls=-1, region='eu-west-1', state={
        'distributions': {'E1': {'config': config, 'status': 'Deployed'}},
        'certificates': {NOWHERE: bare, ELSEWHERE: bare, LARGE: {'certificate': made.pem('large').decode()}}})
    kept = double.state()['certificates'][NOWHERE]
    equal((kept['sha256'], kept['key_sha256'], kept['imported']), (made.sha256('shop'), None, 1),
          'a certificate that is given at start is filled in')
    cloudfront, acm = double.client('cloudfront'), double.client('acm', 'eu-west-1')
    refused('ResourceNotFoundException', 'a certificate is found in its own region',
            lambda: acm.get_certificate(CertificateArn=NOWHERE))
    got = cloudfront.get_distribution_config(Id='E1')

    def bind(arn):
        config = {**got['DistributionConfig'], 'ViewerCertificate': viewer_of(arn)}
        cloudfront.update_distribution(Id='E1', IfMatch=got['ETag'], DistributionConfig=config)

    refused('InvalidViewerCertificate', 'CloudFront takes certificates of us-east-1', lambda: bind(ELSEWHERE))
    refused('InvalidViewerCertificate', 'CloudFront takes no key of P-384', lambda: bind(LARGE))
    bind(NOWHERE)
    equal({cloudfront.get_distribution(Id='E1')['Distribution']['Status'] for _ in range(20)}, {'InProgress'},
          'an update that never ends does not end')
    acm.delete_certificate(CertificateArn=ELSEWHERE)
    equal([arns_of(acm.list_certificates(Includes=ALL_KEY_TYPES)) for _ in range(5)], [[ELSEWHERE]] * 5,
          'a deletion that never ends does not end')
    arn = acm.import_certificate(**made.material('shop'))['CertificateArn']
    check(':eu-west-1:' in arn, 'another region has its own ARNs', arn)
    double.stop()


def awscli(made, double, arn):
    if not os.path.exists(AWSCLI):
        print(f'ok - {AWSCLI} is not here: left out')
        return

    def aws(*command):
        environment = {'PATH': os.environ['PATH'], 'HOME': str(made.folder),
                       'AWS_DEFAULT_REGION': 'us-east-1', 'AWS_CA_BUNDLE': double.authorities,
                       'AWS_ACCESS_KEY_ID': KEY['access_key_id'],
                       'AWS_SECRET_ACCESS_KEY': KEY['access_key_secret']}
        done = subprocess.run([AWSCLI, '--endpoint-url', f'https://localhost:{double.port}', *command],
                              cwd=made.folder, env=environment, capture_output=True, text=True)
        return done.stdout if done.returncode == 0 else done.stderr

    for name, part in made.material('shop').items():
        (made.folder / f'{name}.in').write_bytes(part)
    given = json.loads(aws('acm', 'import-certificate', '--certificate', 'fileb://Certificate.in',
                           '--private-key', 'fileb://PrivateKey.in',
                           '--certificate-chain', 'fileb://CertificateChain.in'))
    kept = double.state()['certificates'][given['CertificateArn']]
    equal(kept['sha256'], made.sha256('shop'), 'awscli imports')
    got = json.loads(aws('cloudfront', 'get-distribution-config', '--id', 'EDISTRIBUTION2'))
    got['DistributionConfig']['ViewerCertificate'] = viewer_of(arn)
    (made.folder / 'config.json').write_text(json.dumps(got['DistributionConfig']))
    answer = json.loads(aws('cloudfront', 'update-distribution', '--id', 'EDISTRIBUTION2',
                            '--if-match', got['ETag'], '--distribution-config', 'file://config.json'))
    equal(answer['Distribution']['Status'], 'InProgress', 'awscli updates a distribution')
    check('(ResourceNotFoundException)' in aws('acm', 'describe-certificate', '--certificate-arn', NOWHERE),
          'awscli understands a refusal')


def metadata(made):
    double = Running(made, 'metadata_double.py', session_token='TOKEN/+=', role='shop-role')
    address = f'http://127.0.0.1:{double.port}/'
    given = InstanceMetadataFetcher(timeout=2, base_url=address, env={}).retrieve_iam_role_credentials()
    equal([given.get(name) for name in ('role_name', 'access_key', 'secret_key', 'token')],
          ['shop-role', *KEY.values(), 'TOKEN/+='], 'botocore takes credentials of the metadata service')
    urls = [json.loads(line)['url'] for line in (double.folder / 'metadata.jsonl').read_text().splitlines()]
    roles = '/latest/meta-data/iam/security-credentials/'
    equal(urls, ['/latest/api/token', roles, roles + 'shop-role'], 'in the three steps of version 2')

    def ask(method, url, **headers):
        connection = http.client.HTTPConnection('127.0.0.1', double.port, timeout=5)
        connection.request(method, url, headers=headers)
        answer = connection.getresponse()
        body = answer.read().decode()
        connection.close()
        return answer.status, body

    name = 'x-aws-ec2-metadata-token'
    life = name + '-ttl-seconds'
    equal(ask('GET', roles)[0], 401, 'no token is refused')
    equal(ask('GET', roles, **{name: 'x'})[0], 401, 'a token that is none is refused')
    ill = ({}, {life: '0'}, {life: '21601'}, {life: '60', 'X-Forwarded-For': '10.0.0.1'})
    equal([ask('PUT', '/latest/api/token', **headers)[0] for headers in ill], [400, 400, 400, 403],
          'a token is not given to everyone')
    token = ask('PUT', '/latest/api/token', **{life: '60'})[1]
    equal([ask('GET', url, **{name: token})[0] for url in (roles, roles + 'x', '/latest/x')],
          [200, 404, 404], 'what is not there is not found')
    double.stop()

    double = Running(made, session_token='TOKEN/+=')
    acm = double.client('acm', session_token=given['token'])
    equal(arns_of(acm.list_certificates()), [], 'credentials with a session token are taken')
    refused('InvalidClientTokenId', 'and without it are refused',
            double.client('cloudfront').list_distributions)
    double.process.terminate()
    equal(double.process.wait(5), 0, 'a double ends when it is told to')
    double.stop()


def main():
    for name in [name for name in os.environ if name.startswith('AWS_') or name.lower().endswith('_proxy')]:
        del os.environ[name]
    os.environ.update(AWS_CONFIG_FILE='/dev/null', AWS_SHARED_CREDENTIALS_FILE='/dev/null')
    with tempfile.TemporaryDirectory() as folder:
        made = Certificates(pathlib.Path(folder))
        viewer = '<CloudFrontDefaultCertificate>true</CloudFrontDefaultCertificate>'
        first = CONFIG.format(alias='www.shop.test', viewer=viewer)
        second = CONFIG.format(alias='two.shop.test', viewer=viewer)
        try:
            double = Running(made, page=1, import_lag=1, state={
                'distributions': {'EDISTRIBUTION1': {'config': first, 'aliases': [], 'status': 'Deployed'},
                                  'EDISTRIBUTION2': {'config': with_viewer(second, NOWHERE)}}})
            arn, rsa = acm_flow(made, double)
            acm_refusals(made, double, arn)
            cloudfront_flow(made, double, arn, rsa)
            cloudfront_refusals(double, arn)
            signatures(made, double)
            faults(made, double)
            awscli(made, double, arn)
            double.stop()
            equal(double.process.returncode, 0, 'a double ends with its stdin')
            never_ending(made, first)
            metadata(made)
        finally:
            for one in Running.all:
                if one.process.poll() is None:
                    one.process.kill()
    return 1 if failures else 0


if __name__ == '__main__':
    sys.exit(main())
