/**
 * Modules of Node.js that an agent must not import by name: an import reads every export, and so makes what Node.js
 * would make on demand. With node:http that is its WebSocket and all of undici (5 MiB), with node:tls a list of CAs.
 */
export const http = () => process.getBuiltinModule('node:http');
export const https = () => process.getBuiltinModule('node:https');
export const tls = () => process.getBuiltinModule('node:tls');
