import { expect, test } from 'vitest';
import { sha256 } from '../../base/digest.ts';
import { emptyPayloadHash, type RequestToSign, signatureHeaders, signingKeyOf, uriEncode } from './sigv4.ts';

const signatureOf = (headers: Record<string, string>) =>
  /Signature=(.*)$/.exec(headers['authorization']!)![1];

// The test suite that Amazon published with Signature Version 4 (aws-sig-v4-test-suite).
const suite = { accessKey: 'AKIDEXAMPLE', secretKey: 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY' };
const suiteScope = { region: 'us-east-1', service: 'service' };
const suiteTime = new Date('2015-08-30T12:36:00Z');

test.each<
  [name: string, method: string, target: string, headers: RequestToSign['headers'], signature: string]
>([
  ['get-vanilla', 'GET', '/', {}, '5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31'],
  ['post-vanilla', 'POST', '/', {}, '5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b'],
  [
    'get-vanilla-query-order-key-case',
    'GET',
    '/?Param2=value2&Param1=value1',
    {},
    'b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500',
  ],
  [
    'get-unreserved',
    'GET',
    '/-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz',
    {},
    '07ef7494c76fa4850883e2b006601f940f8a34d404d0cfa977f52a65bbf5f24f',
  ],
  ['get-utf8', 'GET', '/\u1234', {}, '8318018e0b0f223aa2bbf98705b62bb787dc9c0e678f255a891fd03141be5d85'],
  [
    'get-vanilla-utf8-query',
    'GET',
    '/?\u1234=bar',
    {},
    '2cdec8eed098649ff3a119c94853b13c643bcf08f8b0a1d91e12c9027818dd04',
  ],
  [
    'get-header-value-trim',
    'GET',
    '/',
    { 'my-header1': ' value1', 'my-header2': ' "a   b   c" ' },
    'acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736',
  ],
])("signs %s of Amazon's test suite", (_, method, target, headers, signature) => {
  const url = new URL(target, 'https://example.amazonaws.com');
  const key = signingKeyOf(suite.secretKey, suiteScope, suiteTime);
  const request = { method, url, headers, payloadHash: emptyPayloadHash };
  const signed = signatureHeaders(request, suite.accessKey, key, suiteScope, suiteTime);
  expect(signed['x-amz-date']).toBe('20150830T123600Z');
  expect(signatureOf(signed)).toBe(signature);
});

// "Signature Calculations for the Authorization Header" in the documentation of Amazon S3.
const s3 = { accessKey: 'AKIAIOSFODNN7EXAMPLE', secretKey: 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY' };
const s3Scope = { region: 'us-east-1', service: 's3' };
const s3Time = new Date('2013-05-24T00:00:00Z');
const welcome = sha256('Welcome to Amazon S3.');

test.each<
  [what: string, method: string, target: string, headers: RequestToSign['headers'], payload: string, string]
>([
  [
    'the get of an object',
    'GET',
    '/test.txt',
    { range: 'bytes=0-9' },
    emptyPayloadHash,
    'f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41',
  ],
  [
    'the put of an object',
    'PUT',
    '/test%24file.text',
    { date: 'Fri, 24 May 2013 00:00:00 GMT', 'x-amz-storage-class': 'REDUCED_REDUNDANCY' },
    welcome,
    '98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd',
  ],
  [
    'a parameter without value',
    'GET',
    '/?lifecycle',
    {},
    emptyPayloadHash,
    'fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543',
  ],
  [
    'a list',
    'GET',
    '/?max-keys=2&prefix=J',
    {},
    emptyPayloadHash,
    '34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7',
  ],
])("signs %s as Amazon's documentation of S3 does", (_, method, target, headers, payloadHash, signature) => {
  const url = new URL(target, 'https://examplebucket.s3.amazonaws.com');
  const key = signingKeyOf(s3.secretKey, s3Scope, s3Time);
  const request = { method, url, headers: { ...headers, 'x-amz-content-sha256': payloadHash }, payloadHash };
  expect(signatureOf(signatureHeaders(request, s3.accessKey, key, s3Scope, s3Time))).toBe(signature);
});

test("derives the signing key of Amazon's documentation", () => {
  const key = signingKeyOf(suite.secretKey, { region: 'us-east-1', service: 'iam' }, suiteTime);
  expect(key.export().toString('hex')).toBe(
    'c4afb1cc5771d871763a393e44b703571b55cc28424d1a5e86da6ed3c154a4b9',
  );
});

test('escapes all but unreserved characters', () => {
  expect(uriEncode("aZ09-._~ /!'()*+:=%é")).toBe('aZ09-._~%20%2F%21%27%28%29%2A%2B%3A%3D%25%C3%A9');
});
