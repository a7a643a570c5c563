/**
 * Modules of Node.js that an agent must not import by name. An import reads every export, and so creates what Node.js
 * would create on demand: for node:http its WebSocket and all of undici (5 MiB), for node:tls a list of CAs.
 */
export const http = () => process.getBuiltinModule('node:http');
export const https = () => process.getBuiltinModule('node:https');
export const tls = () => process.getBuiltinModule('node:tls');
