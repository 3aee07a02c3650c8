export interface OpenFilesLimit {
  readonly soft: number;
  readonly hard: number;
}

/** What /proc/<pid>/limits says of open files (proc(5)); Infinity for no limit, undefined where it says nothing. */
export function openFilesLimitIn(limits: string): OpenFilesLimit | undefined {
  const [, soft, hard] = /^Max open files +(\S+) +(\S+)/m.exec(limits) ?? [];
  return soft === undefined || hard === undefined ? undefined : { soft: toNumber(soft), hard: toNumber(hard) };
}

function toNumber(text: string): number {
  return text === 'unlimited' ? Infinity : Number(text);
}
