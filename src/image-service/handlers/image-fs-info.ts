import { stat, statfs } from 'node:fs/promises';

import type { runtime } from '../../../api/cri/generated/api.cjs';
import Long from 'long';

import { nowNs } from '../../base/clock.js';
import { errnoOf } from '../../base/errors.js';
import type { ImageService } from '../image-service.js';

/**
 * What images take on disk, from counters. kubelet takes two file systems for split ones by their directories, so the writable
 * layers have one of their own only if somebody mounted it there; what that takes is what the file system says.
 */
export async function imageFsInfo(
  service: ImageService,
  writableLayers: string,
): Promise<runtime.v1.IImageFsInfoResponse> {
  const { path, bytes, inodes, timestampNs } = service.usage();
  const usage: runtime.v1.IFilesystemUsage = {
    timestamp: Long.fromString(timestampNs),
    fsId: { mountpoint: path },
    usedBytes: { value: Long.fromNumber(bytes, true) },
    inodesUsed: { value: Long.fromNumber(inodes, true) },
  };
  const [images, containers] = await Promise.all([deviceOf(path), deviceOf(writableLayers)]);
  const isSplit = containers !== undefined && containers !== images;
  return { imageFilesystems: [usage], containerFilesystems: [isSplit ? await usageOf(writableLayers) : usage] };
}

/** Undefined for a directory that is not there yet: it will be on its parent's file system. */
async function deviceOf(path: string): Promise<number | undefined> {
  try {
    return (await stat(path)).dev;
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}

async function usageOf(path: string): Promise<runtime.v1.IFilesystemUsage> {
  const { bsize, blocks, bfree, files, ffree } = await statfs(path);
  return {
    timestamp: Long.fromString(nowNs()),
    fsId: { mountpoint: path },
    usedBytes: { value: Long.fromNumber(bsize * (blocks - bfree), true) },
    inodesUsed: { value: Long.fromNumber(files - ffree, true) },
  };
}
