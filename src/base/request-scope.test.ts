import { expect, it } from '@jest/globals';

import { sleep } from './abort.js';
import { inRequest, outsideRequests, requestScope } from './request-scope.js';

it('goes with all that a request starts, and with nothing else', async () => {
  const seen = await Promise.all(
    ['a', 'b'].map((request) =>
      inRequest({ request }, async () => {
        await sleep(5);
        return [requestScope(), outsideRequests(requestScope), await sleep(1).then(requestScope)];
      }),
    ),
  );
  expect(seen).toEqual([
    [{ request: 'a' }, undefined, { request: 'a' }],
    [{ request: 'b' }, undefined, { request: 'b' }],
  ]);
  expect(requestScope()).toBeUndefined();
});
