import { createTokenHandler } from "@visage/client/server";
import { apiKey, url } from "@/lib/service";

// Whoever may use this program may open a stream. Check your own session in `allow` where that is not everybody.
export const POST = createTokenHandler({ url, apiKey });
