import { createSign, randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { readFile } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';

import type { Certificates } from './certificates.js';

export const ISSUER = 'test tokens';
export const SERVICE = 'test registry';
export const USER = { username: 'gantry', password: 'secret' } as const;
const BASIC = `Basic ${Buffer.from(`${USER.username}:${USER.password}`).toString('base64')}`;

/** Gives tokens for pulls to who knows the password (distribution, "Token Authentication Specification"). */
export class TokenServer {
  readonly #server: Server;
  readonly #key: string;
  readonly #chain: readonly string[];
  /** Answers in place of a token, once each. */
  readonly troubles: ((response: ServerResponse) => void)[] = [];
  given = 0;

  private constructor(key: string, cert: string) {
    this.#key = key;
    this.#chain = [cert.replace(/-----[A-Z ]+-----|\s/g, '')];
    this.#server = createServer((request, response) => this.#answer(request, response));
  }

  static async start({ cert, key }: Certificates): Promise<TokenServer> {
    const server = new TokenServer(await readFile(key, 'utf8'), await readFile(cert, 'utf8'));
    await new Promise<void>((resolve) => server.#server.listen(0, '127.0.0.1', resolve));
    return server;
  }

  get realm(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/token`;
  }

  close(): void {
    this.#server.closeAllConnections();
    this.#server.close();
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    const trouble = this.troubles.shift();
    if (trouble !== undefined) trouble(response);
    else if (request.headers.authorization !== BASIC) response.writeHead(401).end();
    else {
      this.given++;
      const scope = new URL(request.url ?? '', this.realm).searchParams.get('scope') ?? '';
      response.writeHead(200, { 'content-type': 'application/json' });
      response.end(JSON.stringify({ token: this.#token(scope), expires_in: 60 }));
    }
  }

  #token(scope: string): string {
    const [type, name, actions = ''] = scope.split(':');
    const now = Math.floor(Date.now() / 1000);
    const encode = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
    const times = { exp: now + 60, nbf: now - 60, iat: now, jti: randomUUID() };
    const access = [{ type, name, actions: actions.split(',') }];
    const claims = { iss: ISSUER, sub: USER.username, aud: SERVICE, ...times, access };
    const text = `${encode({ typ: 'JWT', alg: 'RS256', x5c: this.#chain })}.${encode(claims)}`;
    return `${text}.${createSign('RSA-SHA256').update(text).sign(this.#key, 'base64url')}`;
  }
}
