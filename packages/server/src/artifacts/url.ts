/**
 * Where devices fetch an artifact. `server` is how they reach the server, `https://host:port`.
 *
 * @example
 * artifactUrl('https://fleet.example:8443', digest); // 'https://fleet.example:8443/artifacts/' + digest
 */
export function artifactUrl(server: string, digest: string): string {
  return `${server}/artifacts/${digest}`;
}
