import type { runtime } from '../../../api/cri/generated/api.cjs';
import Long from 'long';

import type { ImageService } from '../image-service.js';

/** What images take on disk, from counters. Containers' writable layers are on the same file system. */
export function imageFsInfo(service: ImageService): runtime.v1.IImageFsInfoResponse {
  const { path, bytes, inodes, timestampNs } = service.usage();
  const usage: runtime.v1.IFilesystemUsage = {
    timestamp: Long.fromString(timestampNs),
    fsId: { mountpoint: path },
    usedBytes: { value: Long.fromNumber(bytes, true) },
    inodesUsed: { value: Long.fromNumber(inodes, true) },
  };
  return { imageFilesystems: [usage], containerFilesystems: [usage] };
}
