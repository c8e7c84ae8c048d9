// Passes requests of the browser on to the service and adds the API key, which stays here.
import type { NextRequest } from "next/server";
import { apiKey, url } from "@/lib/service";

const ROUTES: Record<string, readonly string[]> = {
  GET: ["info", "labels", "models", "health", "stats"],
  POST: ["predict", "predict/batch", "predict/compare"],
};
const PASSED_ON = ["content-type", "accept", "accept-language"];
// The client sends no more pictures at once than the rate has left.
const RATE = ["x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset"];
const PASSED_BACK = ["content-type", "content-disposition", "retry-after", "x-request-id", ...RATE];

async function handle(request: NextRequest, { params }: { params: Promise<{ path: string[] }> }): Promise<Response> {
  const path = (await params).path.join("/");
  if (!ROUTES[request.method]?.includes(path)) return refusal(404, "not_found", "There is nothing here.");
  const headers = new Headers(apiKey ? { "X-API-Key": apiKey } : {});
  copy(PASSED_ON, request.headers, headers);
  // The service counts the rate by client. It believes this header where its TRUSTED_PROXIES names this server.
  const client = request.headers.get("x-forwarded-for");
  if (client) headers.set("X-Forwarded-For", client);
  try {
    const response = await fetch(`${url}/${path}${request.nextUrl.search}`, {
      method: request.method,
      headers,
      body: request.body,
      signal: request.signal,
      cache: "no-store",
      duplex: "half",
    } as RequestInit);
    const back = new Headers({ "Cache-Control": "no-store" });
    copy(PASSED_BACK, response.headers, back);
    return new Response(response.body, { status: response.status, headers: back });
  } catch {
    return refusal(503, "not_ready", "The service cannot be reached. It may be starting.", { "Retry-After": "3" });
  }
}

function copy(names: readonly string[], from: Headers, to: Headers): void {
  for (const name of names) {
    const value = from.get(name);
    if (value) to.set(name, value);
  }
}

function refusal(status: number, error: string, message: string, headers: Record<string, string> = {}): Response {
  return Response.json({ success: false, error, message, request_id: "" }, { status, headers });
}

export { handle as GET, handle as POST };
