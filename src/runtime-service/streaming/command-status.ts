import { describeError } from '../../base/errors.js';

/** How an exec or attach ended, as its client is told on the error stream. */
export type CommandStatus =
  | { readonly ended: 'well' }
  | { readonly ended: 'non-zero'; readonly exitCode: number }
  | { readonly ended: 'error'; readonly error: unknown };

/** v4 and later have a Kubernetes `Status` in JSON, earlier protocols text, which is an error if it is there at all. */
export type StatusForm = 'json' | 'text';

export function formatStatus(status: CommandStatus, form: StatusForm): string {
  return form === 'json' ? JSON.stringify(toMetaV1(status)) : toText(status);
}

function toText(status: CommandStatus): string {
  switch (status.ended) {
    case 'well':
      return '';
    case 'non-zero':
      return exitMessage(status.exitCode);
    case 'error':
      return describeError(status.error);
  }
}

/** metav1.Status; a client reads an exit code from the cause, any other failure's message. */
function toMetaV1(status: CommandStatus): object {
  const common = { metadata: {} };
  switch (status.ended) {
    case 'well':
      return { ...common, status: 'Success' };
    case 'non-zero': {
      const causes = [{ reason: 'ExitCode', message: String(status.exitCode) }];
      const message = exitMessage(status.exitCode);
      return { ...common, status: 'Failure', message, reason: 'NonZeroExitCode', details: { causes } };
    }
    case 'error': {
      const message = describeError(status.error);
      const details = { causes: [{ message }] };
      return { ...common, status: 'Failure', message, reason: 'InternalError', details, code: 500 };
    }
  }
}

function exitMessage(exitCode: number): string {
  return `command terminated with non-zero exit code: ${exitCode}`;
}
