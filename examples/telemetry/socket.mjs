// Can be started by anybody: reports through the agent's socket, and shows what the server sends.
import { connect } from 'node:net';
import { createInterface } from 'node:readline';
import { uptime } from 'node:os';

const socket = connect(process.env.SRUP_SOCKET ?? '/run/srup/lines.sock');
socket.on('error', (error) => {
  console.error(`The agent is not there (${error.message}): start it with data.socket in agent.json.`);
  process.exitCode = 1;
});
socket.on('connect', () => {
  socket.write(`${JSON.stringify({ uptime: uptime(), level: 7 })}\n`);
});
for await (const line of createInterface(socket)) console.log(`from the server: ${line}`);
