import { describe, expect, it } from 'vitest';
import { isAllowedUrl, MAX_URL_LENGTH } from './url.ts';

const ANY = { allowHttp: false };

describe('the URL of an INITIATE', () => {
  it.each([
    'https://files.example/v2.tar',
    'https://files.example',
    'HTTPS://Files.Example:8443/a?b=c&d=%20#e',
    'https://127.0.0.1:65535/x',
    'https://[::1]:8443/x',
    'https://files.example?x',
  ])('is allowed: %s', (url) => {
    expect(isAllowedUrl(url, ANY)).toBe(true);
  });

  it.each([
    '',
    'files.example/v2',
    'http://files.example/v2',
    'ftp://files.example/v2',
    'file:///etc/passwd',
    'https:files.example',
    'https:///files.example',
    'https://',
    'https://user@files.example/',
    'https://files.example@evil.example/',
    'https://files.example\\@evil.example/',
    'https://files.example:443@evil.example/',
    'https://files.example/a b',
    'https://files.example/a\tb',
    'https://files.example/a\nb',
    ' https://files.example/',
    'https://files.example/\u00e9',
    'https://fil\u0435s.example/',
    'https://files%2eexample/',
    'https://files.example:123456/',
    'https://files.example:/',
    'https://files.example/\u0000',
    `https://files.example/${'x'.repeat(MAX_URL_LENGTH)}`,
  ])('is refused: %j', (url) => {
    expect(isAllowedUrl(url, ANY)).toBe(false);
  });

  it('may be http where the owner says so', () => {
    expect(isAllowedUrl('http://127.0.0.1:8080/v2', { allowHttp: true })).toBe(true);
    expect(isAllowedUrl('ftp://127.0.0.1:8080/v2', { allowHttp: true })).toBe(false);
  });

  it('names a host of the list, with its port or with any', () => {
    const listed = { allowHttp: false, hosts: ['Files.example', 'other.example:8443', 'third.example:443'] };
    expect(isAllowedUrl('https://third.example/v2', listed)).toBe(true);
    expect(isAllowedUrl('https://third.example:443/v2', listed)).toBe(true);
    expect(isAllowedUrl('https://third.example:8443/v2', listed)).toBe(false);
    expect(isAllowedUrl('https://FILES.example/v2', listed)).toBe(true);
    expect(isAllowedUrl('https://files.example:8443/v2', listed)).toBe(true);
    expect(isAllowedUrl('https://other.example:8443/v2', listed)).toBe(true);
    expect(isAllowedUrl('https://other.example/v2', listed)).toBe(false);
    expect(isAllowedUrl('https://files.example.evil.example/v2', listed)).toBe(false);
    expect(isAllowedUrl('https://evil.example/files.example', listed)).toBe(false);
    expect(isAllowedUrl('https://files.example./v2', listed)).toBe(false);
    expect(isAllowedUrl('https://files.example/', { allowHttp: false, hosts: [] })).toBe(false);
  });
});
