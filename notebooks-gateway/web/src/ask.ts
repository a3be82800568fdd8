// Requests to the portal: forms only, with the word that the page carries, so that no other site can send them.

export class Asker {
  constructor(private readonly formWord: string) {}

  async post(path: string, fields: Record<string, string>, signal?: AbortSignal): Promise<Response> {
    const body = new URLSearchParams({ form_word: this.formWord, ...fields });
    const response = await fetch(path, { method: "POST", body, headers: { accept: "application/json" }, signal: signal ?? null });
    if (response.status === 401) {
      location.assign("/sign-in");
    }
    return response;
  }

  async get<T>(path: string): Promise<T | undefined> {
    const response = await fetch(path, { headers: { accept: "application/json" } });
    return response.ok ? ((await response.json()) as T) : undefined;
  }
}
