import { invalidArgument } from '../../../base/errors.js';

export interface ChannelMessage {
  readonly channel: number;
  readonly data: Buffer;
}

/** How a message says its channel and data. */
export interface ChannelCodec {
  encode(channel: number, data: Buffer): Buffer | string;
  /** @throws invalid-argument for what is not encoded so; `message` is not empty */
  decode(message: Buffer): ChannelMessage;
}

/** `[channel, …data]` in a binary message. */
export const BINARY: ChannelCodec = {
  encode: (channel, data) => Buffer.concat([Buffer.of(channel), data]),
  decode: (message) => ({ channel: message.readUInt8(0), data: message.subarray(1) }),
};

const ZERO = '0'.charCodeAt(0);
/** The channel's digit, then data in base64, in a text message: for browsers without binary messages. */
export const BASE64_TEXT: ChannelCodec = {
  encode: (channel, data) => String.fromCharCode(ZERO + channel) + data.toString('base64'),
  decode(message) {
    const text = message.toString('latin1', 1);
    const data = Buffer.from(text, 'base64');
    // What is no base64 is skipped, so something would be missing.
    if (data.length !== decodedLength(text)) throw invalidArgument('websocket: a message is not in base64');
    return { channel: message.readUInt8(0) - ZERO, data };
  },
};

function decodedLength(text: string): number {
  const padding = text.endsWith('==') ? 2 : text.endsWith('=') ? 1 : 0;
  return (text.length / 4) * 3 - padding;
}
