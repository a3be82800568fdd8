// A real OpenID provider (npm oidc-provider) for tests. It prints its port, reads the redirect address of its one
// client from standard input, and says "ready". Its pages ask for a name, and for a code as a second factor: who types
// one signs in with two factors, who leaves it out with a password alone. It ends with its standard input.
import http from 'node:http';
import { createRequire } from 'node:module';
import readline from 'node:readline';
import path from 'node:path';
import os from 'node:os';
import { pathToFileURL } from 'node:url';

const cache = process.env.MISU_TEST_CACHE ?? path.join(os.homedir(), '.cache', 'misu-tests');
const require = createRequire(path.join(cache, 'oidc', 'package.json'));
const { Provider } = await import(pathToFileURL(require.resolve('oidc-provider')));

let answer = (_request, response) => response.writeHead(503).end();
const server = http.createServer((request, response) => answer(request, response));
await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
const { port } = server.address();
process.stdout.write(`${port}\n`);

const lines = readline.createInterface({ input: process.stdin });
lines.on('close', () => process.exit(0));
const redirect = await new Promise((resolve) => lines.once('line', resolve));

const provider = new Provider(`http://127.0.0.1:${port}`, {
  clients: [{ client_id: 'misu', client_secret: 'a secret of tests', redirect_uris: [redirect] }],
  claims: { openid: ['sub', 'amr', 'acr'], profile: ['preferred_username'] },
  cookies: { keys: ['a cookie key of tests'] },
  features: { devInteractions: { enabled: false } },
  findAccount: (_context, id) => ({ accountId: id, claims: async () => ({ sub: id, preferred_username: id }) }),
  interactions: { url: (_context, interaction) => `/interaction/${interaction.uid}` },
  pkce: { required: () => true },
});

async function typed(request) {
  const parts = [];
  for await (const part of request) parts.push(part);
  return new URLSearchParams(Buffer.concat(parts).toString());
}

async function interaction(request, response) {
  const { prompt, params, session } = await provider.interactionDetails(request, response);
  if (request.method === 'GET') {
    response.writeHead(200, { 'content-type': 'text/html' }).end(`<form method="post">${prompt.name}</form>`);
    return;
  }
  const fields = await typed(request);
  if (prompt.name === 'login') {
    const amr = fields.get('code') ? ['pwd', 'otp'] : ['pwd'];
    await provider.interactionFinished(request, response, { login: { accountId: fields.get('login'), amr } });
    return;
  }
  const grant = new provider.Grant({ accountId: session.accountId, clientId: params.client_id });
  grant.addOIDCScope(params.scope);
  const consent = { grantId: await grant.save() };
  await provider.interactionFinished(request, response, { consent }, { mergeWithLastSubmission: true });
}

const pages = provider.callback();
answer = (request, response) => {
  if (!request.url.startsWith('/interaction/')) return pages(request, response);
  return interaction(request, response).catch((error) => response.writeHead(500).end(String(error)));
};
process.stdout.write('ready\n');
