import { useState } from 'preact/hooks';
import { logIn, problemFrom } from './api/client.js';
import type { Problem } from './api/client.js';
import { needsToken } from './api/session.js';
import { refresh } from './api/live.js';
import { forgetAll } from './api/use-document.js';
import { ProblemBox } from './parts/small.js';

/** Asks for a token; the server answers with a cookie that scripts cannot read. */
export function Login() {
  const [token, setToken] = useState('');
  const [problem, setProblem] = useState<Problem>();
  const login = async () => {
    try {
      await logIn(token.trim());
      forgetAll();
      needsToken.set(false);
      refresh();
    } catch (error) {
      setProblem(problemFrom(error));
    }
  };
  return (
    <main class="login">
      <h1>Lamina</h1>
      <form
        class="form"
        onSubmit={(event) => {
          event.preventDefault();
          void login();
        }}
      >
        <label>
          <span>Token</span>
          <input
            type="password"
            required
            autocomplete="current-password"
            value={token}
            aria-describedby="token-hint"
            onInput={(event) => setToken(event.currentTarget.value)}
          />
          <span class="quiet" id="token-hint">
            It is in the token file of this server, which only its owner can read.
          </span>
        </label>
        {problem !== undefined && <ProblemBox problem={problem} />}
        <button type="submit" class="primary">
          Log in
        </button>
      </form>
    </main>
  );
}
