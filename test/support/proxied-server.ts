/** The whole server on an S3 server of its own, with a door between them that counts and fails. */
import type { ServerOptions } from "../../cli/server.ts";
import type { ObjectStoreBackend } from "../contract/object-store.ts";
import { AskingDevice } from "./asking-device.ts";
import { type ControlAnswer, send } from "./control-request.ts";
import { type RunningServer, startRunningServer } from "./running-server.ts";
import { createS3Backend, startTemporaryS3 } from "./s3-backend.ts";
import { S3Proxy } from "./s3-proxy.ts";

/** A running server, its door to storage, and the way round that door. */
export interface ProxiedServer extends RunningServer {
  readonly door: S3Proxy;
  /** Puts another object in the place of a file of a published stream, round the door. */
  replace(streamId: string, fileId: number, bytes: Uint8Array): Promise<void>;
  /** Deletes the object of a file of a published stream, round the door. */
  remove(streamId: string, fileId: number): Promise<void>;
  /** Sends a request to the stream API. */
  api(method: string, path: string, body?: unknown): Promise<ControlAnswer>;
  /** Connects a device over TCP; it is closed with the server. */
  device(): Promise<AskingDevice>;
}

/** The bucket that `publish` of a running server uploads to. */
const BUCKET = "originals";

/** Starts one; a check interval of 0 ms, its default here, makes every request see the store as it is. */
export async function startProxiedServer(overrides: Partial<ServerOptions> = {}): Promise<ProxiedServer> {
  const backend = await startBackend();
  const door = await S3Proxy.open(backend.endpoint);
  const server = await startRunningServer({ s3Endpoints: [door.url], checkIntervalMs: 0, ...overrides });
  const devices: AskingDevice[] = [];
  return {
    ...server,
    door,
    async replace(streamId, fileId, bytes) {
      await backend.put(BUCKET, `${streamId}/${fileId}`, bytes);
    },
    remove: (streamId, fileId) => backend.remove(BUCKET, `${streamId}/${fileId}`),
    api: (method, path, body) => send({ endpoint: server.urls.http }, method, path, body),
    async device() {
      const device = await AskingDevice.connect(server.urls.mqtt);
      devices.push(device);
      return device;
    },
    async close() {
      for (const device of devices) device.close();
      door.behave("drop");
      await server.close();
      await door.close();
      await backend.close();
    },
  };
}

async function startBackend(): Promise<ObjectStoreBackend & { endpoint: string }> {
  const s3 = await startTemporaryS3();
  return { ...createS3Backend(s3), endpoint: s3.endpoint };
}
