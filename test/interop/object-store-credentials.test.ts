/** Which credentials an AWS client is given: dummy ones only where nobody could be harmed by them. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { defaultCredentials, isLoopbackEndpoint } from "../../publisher/object-store/credentials.ts";

const LOOPBACK = "http://127.0.0.1:9000";

describe("a loopback endpoint", () => {
  it.each([
    "http://127.0.0.1:9000",
    "http://127.1.2.3",
    "https://localhost:9000/prefix",
    "http://LOCALHOST",
    "http://s3.localhost:9000",
    "http://[::1]:9000",
    "http://[0:0:0:0:0:0:0:1]",
  ])("is %s", (endpoint) => {
    expect(isLoopbackEndpoint(endpoint)).toBe(true);
  });

  it.each([
    "http://127.0.0.1.example.com",
    "http://localhost.example.com",
    "http://notlocalhost",
    "http://128.0.0.1",
    "http://0.0.0.0:9000",
    "http://[::2]",
    "http://127.0.0.1@example.com",
    "https://s3.amazonaws.com",
    "127.0.0.1:9000",
    "",
  ])("is not %j", (endpoint) => {
    expect(isLoopbackEndpoint(endpoint)).toBe(false);
  });
});

describe("credentials by default", () => {
  let home: string;
  beforeAll(() => {
    home = mkdtempSync(join(tmpdir(), "otastream-home-"));
  });
  afterAll(() => rmSync(home, { recursive: true, force: true }));

  function profile(name: string, lines: readonly string[]): string {
    const path = join(home, name);
    writeFileSync(path, `${lines.join("\n")}\n`);
    return path;
  }

  it("are dummy ones for a loopback endpoint where there are none", () => {
    expect(defaultCredentials(LOOPBACK, { HOME: home })).toEqual({
      accessKeyId: expect.any(String),
      secretAccessKey: expect.any(String),
    });
    expect(defaultCredentials(LOOPBACK, { HOME: home, AWS_ACCESS_KEY_ID: "only-half" })).toBeDefined();
  });

  it("are never dummy ones elsewhere", () => {
    expect(defaultCredentials(undefined, { HOME: home })).toBeUndefined();
    expect(defaultCredentials("https://s3.example.com", { HOME: home })).toBeUndefined();
  });

  it.each<Record<string, string>>([
    { AWS_ACCESS_KEY_ID: "a", AWS_SECRET_ACCESS_KEY: "b" },
    { AWS_PROFILE: "work" },
    { AWS_WEB_IDENTITY_TOKEN_FILE: "/token" },
    { AWS_CONTAINER_CREDENTIALS_FULL_URI: "http://127.0.0.1/credentials" },
  ])("are left to the SDK when the environment has %j", (variables) => {
    expect(defaultCredentials(LOOPBACK, { HOME: home, ...variables })).toBeUndefined();
  });

  it("are left to the SDK when the default profile has some", () => {
    const keys = profile("keys", ["[work]", "region = x", "[default]", "aws_access_key_id = a"]);
    const role = profile("role", ["[profile default]", "role_arn=arn:aws:iam::1:role/x"]);
    expect(defaultCredentials(LOOPBACK, { HOME: home, AWS_SHARED_CREDENTIALS_FILE: keys })).toBeUndefined();
    expect(defaultCredentials(LOOPBACK, { HOME: home, AWS_CONFIG_FILE: role })).toBeUndefined();
  });

  it("are dummy ones when only other profiles have some, or the default one has a region only", () => {
    const keys = profile("others", ["[default]", "region = us-east-1", "[work]", "aws_access_key_id = a"]);
    expect(defaultCredentials(LOOPBACK, { HOME: home, AWS_SHARED_CREDENTIALS_FILE: keys })).toBeDefined();
    expect(defaultCredentials(LOOPBACK, { HOME: home, AWS_CONFIG_FILE: keys })).toBeDefined();
  });
});
