import { expect, inject, it } from "vitest";
import { createTokenHandler } from "../src/server.js";
import { KEY } from "./service.js";

const post = () => new Request("http://localhost/api/stream-token", { method: "POST" });

it("hands out tokens to those who may have one", async () => {
  const handler = createTokenHandler({ url: `${inject("guarded")}/`, apiKey: KEY, allow: (request) => !request.headers.has("Stranger") });
  const response = await handler(post());
  expect(response.status).toBe(200);
  expect(response.headers.get("Cache-Control")).toBe("no-store");
  const body = await response.text();
  expect(JSON.parse(body)).toMatchObject({ success: true, token: expect.any(String), expires_in: 60 });
  expect(body).not.toContain(KEY);
  const stranger = new Request("http://localhost/", { method: "POST", headers: { Stranger: "yes" } });
  expect((await handler(stranger)).status).toBe(401);
  expect((await handler(new Request("http://localhost/"))).status).toBe(405);
});

it("passes the service's refusals on, and its own", async () => {
  const refused = await createTokenHandler({ url: inject("guarded"), apiKey: "wrong" })(post());
  expect(refused.status).toBe(401);
  expect(await refused.json()).toMatchObject({ success: false, error: "unauthorized" });
  const gone = await createTokenHandler({ url: "http://127.0.0.1:9" })(post());
  expect(gone.status).toBe(502);
  expect(await gone.json()).toMatchObject({ success: false, error: "unreachable" });
});
