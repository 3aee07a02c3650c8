import { request } from 'node:https';
import { json } from 'node:stream/consumers';
import type { IncomingMessage } from 'node:http';

import { internal, notFound } from '../../../src/base/errors.js';
import { patience } from '../../harness/settings.js';

/** Where an API server is, and as whom it is asked. */
export interface ApiAccess {
  readonly url: string;
  readonly token: string;
  /** The certificates that it is trusted by, in PEM. */
  readonly ca: string;
}

type Method = 'GET' | 'POST' | 'PATCH' | 'DELETE';

const CALL_MS = patience(30_000);

/** Kubernetes' API as plain objects; paths are those below the server, `/api/v1/…`. */
export class ApiClient {
  readonly #access: ApiAccess;

  constructor(access: ApiAccess) {
    this.#access = access;
  }

  get(path: string): Promise<unknown> {
    return this.#call('GET', path);
  }

  create(path: string, object: object): Promise<unknown> {
    return this.#call('POST', path, object);
  }

  /** A strategic merge: lists of containers are merged by name. */
  patch(path: string, changes: object): Promise<unknown> {
    return this.#call('PATCH', path, changes);
  }

  delete(path: string): Promise<unknown> {
    return this.#call('DELETE', path);
  }

  /** @throws not-found, or internal with what the server said. */
  async #call(method: Method, path: string, body?: object): Promise<unknown> {
    const { status, answer } = await this.#exchange(method, path, body);
    if (status < 400) return answer;
    const said = `cannot ${method} ${path}: ${status} ${(answer as { message?: string }).message ?? ''}`;
    throw status === 404 ? notFound(said) : internal(said);
  }

  async #exchange(method: Method, path: string, body?: object): Promise<{ status: number; answer: unknown }> {
    const { url, token, ca } = this.#access;
    const response = await new Promise<IncomingMessage>((resolve, reject) => {
      const type = method === 'PATCH' ? 'application/strategic-merge-patch+json' : 'application/json';
      const headers = { authorization: `Bearer ${token}`, 'content-type': type };
      const options = { method, headers, ca, agent: false, signal: AbortSignal.timeout(CALL_MS) } as const;
      const call = request(`${url}${path}`, options, resolve).on('error', reject);
      call.end(body === undefined ? undefined : JSON.stringify(body));
    });
    return { status: response.statusCode ?? 0, answer: await json(response) };
  }
}
