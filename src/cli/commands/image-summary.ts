/** An image as the daemon's own service has it. */
export interface ImageSummary {
  readonly id: string;
  readonly repoTags: readonly string[];
  readonly repoDigests: readonly string[];
  readonly size: number;
  readonly pinned: boolean;
}

/** Names, then the id: what a script may split at spaces. */
export function namesAndId({ id, repoTags }: ImageSummary): string {
  return [...repoTags, id].join(' ');
}

/** A table of images, a line for each tag. */
export function imageTable(images: readonly ImageSummary[]): string {
  const rows = images.flatMap((image) => {
    const names = image.repoTags.length > 0 ? image.repoTags : image.repoDigests.slice(0, 1);
    const rest = [image.id.slice(7, 19), sizeText(image.size), image.pinned ? 'yes' : ''];
    return (names.length > 0 ? names : ['<none>']).map((name) => [name, ...rest]);
  });
  const all = [['NAME', 'ID', 'SIZE', 'PINNED'], ...rows.toSorted(([a = ''], [b = '']) => (a < b ? -1 : 1))];
  const widths = [0, 1, 2].map((column) => Math.max(...all.map((row) => row[column]?.length ?? 0)));
  return all
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

/** Bytes for people, in powers of ten as registries have them. */
export function sizeText(bytes: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  const power = Math.min(units.length - 1, Math.max(0, Math.floor(Math.log10(Math.max(bytes, 1)) / 3)));
  const value = bytes / 1000 ** power;
  return `${power === 0 ? value : value.toFixed(1)} ${units[power] ?? ''}`;
}
