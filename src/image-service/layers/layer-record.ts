import { dataLoss } from '../../base/errors.js';
import { isDigest } from '../registry/digest.js';
import type { LayerRecord } from '../types.js';

/** Checks what a layer's record file holds. @throws data-loss */
export function parseLayerRecord(value: Record<string, unknown>): LayerRecord {
  const { chainId, diffId, dir, size, inodes } = value;
  if (typeof chainId !== 'string' || !isDigest(chainId)) throw dataLoss('the record has no chain id');
  if (typeof diffId !== 'string' || !isDigest(diffId)) throw dataLoss('the record has no diff id');
  if (typeof dir !== 'string' || !/^[0-9]+$/.test(dir)) throw dataLoss('the record has no directory');
  if (!isCount(size) || !isCount(inodes)) throw dataLoss('the record has no sizes');
  const { unclaimedSince, whole } = value;
  if (whole !== undefined && !isWhole(whole)) throw dataLoss('the record has wrong counts');
  if (unclaimedSince !== undefined && !isCount(unclaimedSince)) throw dataLoss('the record has a wrong time');
  const rest = {
    ...(whole === undefined ? {} : { whole }),
    ...(unclaimedSince === undefined ? {} : { unclaimedSince }),
  };
  return { chainId, diffId, dir, size, inodes, ...rest };
}

function isWhole(value: unknown): value is NonNullable<LayerRecord['whole']> {
  const { entries, content } = (value ?? {}) as Record<string, unknown>;
  return isCount(entries) && isCount(content);
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}
