import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { AxeBuilder } from '@axe-core/playwright';
import { chromium } from 'playwright-core';
import type { Browser, BrowserContext, Page, Request } from 'playwright-core';
import { isRoot, World } from './lamina.js';
import type { Started } from './lamina.js';
import { expectSoon, patience } from './soon.js';

const program = '/usr/bin/chromium';

/** As root in a mount namespace of our own there is no sandbox for the browser; it sees only our own page. */
const browserWords = [
  ...['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run'],
  ...['--disable-background-networking', '--disable-component-update', '--disable-sync', '--disable-dev-shm-usage'],
];

/** Null: this machine can test the page. */
export function missingForPage(): string | null {
  if (!isRoot) return 'the page is tested on real mounts, as root';
  return existsSync(program) ? null : `${program} is missing: scripts/setup installs it`;
}

export const token = 'page-0123456789abcdef0123456789abcdef';
export const readOnlyToken = 'look-0123456789abcdef0123456789abcdef';

/** Runs in the browser: effects of what was drawn run after a frame, and begin to load. */
const twoFrames = 'new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(done))))';

/** Runs in the browser: a picture shows the usual directories, not those of a test. */
const inPlaceOf = (directory: string, usual: string) => `{
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const change = (text) => text.replaceAll(${JSON.stringify(directory)}, ${JSON.stringify(usual)});
  while (texts.nextNode()) texts.currentNode.data = change(texts.currentNode.data);
  for (const input of document.querySelectorAll('input')) input.value = change(input.value);
}`;

/** Milliseconds for what comes before the tests of a file: some dozens of commands, on a busy machine. */
export const startPatience = 300_000;

/** A store, the server on it, and a browser that has logged in. */
export class PageWorld {
  readonly world: World;
  /** What the browser complained about: errors of scripts, and what the policy of the server forbade. */
  readonly complaints: string[] = [];
  #server: Started | undefined;
  #browser: Browser | undefined;
  #context: BrowserContext | undefined;
  #page: Page | undefined;
  /** Requests that the server has not answered yet, without the streams of events. */
  readonly #requests = new Set<Request>();
  url = '';

  constructor(name: string) {
    this.world = new World(name);
  }

  get page(): Page {
    if (this.#page === undefined) throw new Error('start() was not called');
    return this.#page;
  }

  /** Serves the store, and opens the page. */
  async start(words: readonly string[] = ['--allow-changes']): Promise<void> {
    await this.serve(words);
    this.#browser = await chromium.launch({
      executablePath: program,
      args: browserWords,
      env: { ...process.env, HOME: this.world.makeDirectory('home') },
    });
    this.#context = await this.#browser.newContext({ viewport: { width: 1280, height: 800 }, reducedMotion: 'reduce' });
    this.#page = await this.#context.newPage();
    this.#page.setDefaultTimeout(patience);
    this.#page.on('request', (request) => {
      if (request.resourceType() !== 'eventsource') this.#requests.add(request);
    });
    for (const end of ['requestfinished', 'requestfailed'] as const)
      this.#page.on(end as 'requestfinished', (request) => this.#requests.delete(request));
    this.#page.on('pageerror', (error) => this.complaints.push(error.message));
    this.#page.on('console', (message) => {
      // The browser reports answers with an error status and lost connections by itself.
      const isNetwork = message.text().startsWith('Failed to load resource') || message.text().includes('net::ERR_');
      if (message.type() === 'error' && !isNetwork) this.complaints.push(message.text());
    });
    await this.login();
  }

  async serve(words: readonly string[], listen = '127.0.0.1:0'): Promise<void> {
    const file = this.world.path('tokens');
    writeFileSync(file, `page ${token}\nlook ${readOnlyToken} read-only\n`, { mode: 0o600 });
    const server = this.world.start(['serve', '--listen', listen, '--token-file', file, ...words]);
    this.#server = server;
    let text = '';
    server.child.stderr?.on('data', (chunk: Buffer) => (text += chunk.toString()));
    await server.said('listening on ');
    await expectSoon(() => /listening on (http:\S+)/.exec(text)?.[1], 'the address of the server');
    this.url = /listening on (http:\S+)/.exec(text)?.[1] ?? '';
  }

  /** Ends the server as systemd would. */
  async stopServer(): Promise<void> {
    this.#server?.child.kill('SIGTERM');
    await this.#server?.finished;
    this.#server = undefined;
  }

  async login(as = token): Promise<void> {
    await this.page.goto(`${this.url}/#/fleet`);
    await this.page.getByLabel('Token').fill(as);
    await this.page.getByRole('button', { name: 'Log in' }).click();
    await this.page.getByRole('heading', { name: 'Fleet' }).waitFor();
  }

  /** Shows a view, by its address. */
  async open(address: string): Promise<void> {
    await this.page.goto(`${this.url}/${address}`);
    await this.settled();
  }

  /** What is seen belongs to the address: the page has drawn twice since, and waits for no answer of the server. */
  async settled(): Promise<void> {
    const waiting = this.page.locator('.waiting');
    await expectSoon(async () => {
      await this.page.evaluate(twoFrames);
      return this.#requests.size === 0 && (await waiting.count()) === 0;
    }, 'the end of loading');
  }

  async text(selector = '#main'): Promise<string> {
    return this.page.locator(selector).innerText();
  }

  /**
   * What axe finds wrong; in the dark scheme with the contrast of colours, for nothing else differs there. The page has
   * no frames, so axe needs no page of its own to put their results together (its legacy mode).
   */
  async accessibilityProblems(): Promise<string[]> {
    const found: string[] = [];
    for (const scheme of ['light', 'dark'] as const) {
      await this.page.emulateMedia({ colorScheme: scheme });
      const axe = new AxeBuilder({ page: this.page }).setLegacyMode().options({ resultTypes: ['violations'] });
      const { violations } = await (scheme === 'dark' ? axe.withRules('color-contrast') : axe).analyze();
      for (const { id, nodes } of violations)
        found.push(
          ...nodes.map(({ html, failureSummary }) => `${scheme} ${id}: ${html.slice(0, 200)}: ${failureSummary ?? ''}`),
        );
    }
    await this.page.emulateMedia({ colorScheme: 'light' });
    return found;
  }

  /** A picture of what is seen, for the documentation. */
  async picture(file: string): Promise<void> {
    const directory = process.env['LAMINA_PAGE_PICTURES'];
    if (directory === undefined) return;
    mkdirSync(directory, { recursive: true });
    await this.page.mouse.move(0, 0);
    await this.page.evaluate(inPlaceOf(this.world.store, '/var/lib/lamina'));
    await this.page.evaluate(inPlaceOf(this.world.path(), '/srv'));
    await this.page.screenshot({ path: `${directory}/page-${file}.png` });
  }

  async stop(): Promise<void> {
    await this.#browser?.close();
    await this.stopServer();
  }
}
