// Opens pages in Chromium as people do: on a phone by day and on a desktop by
// night, with the keyboard alone. Prints what is wrong, a line each.
// Arguments: the pages. Run where axe-core and playwright-core are installed.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';

const require = createRequire(process.cwd() + '/');
const { chromium } = require('playwright-core');
const axe = readFileSync(require.resolve('axe-core/axe.min.js'), 'utf8');
const RULES = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'];
const LOOKS = [
  { name: 'phone by day', viewport: { width: 375, height: 740 }, colorScheme: 'light' },
  { name: 'desktop by night', viewport: { width: 1280, height: 900 }, colorScheme: 'dark' },
];

const wrong = [];
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
  args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking', '--disable-component-update'],
});
for (const file of process.argv.slice(2)) {
  for (const { name, viewport, colorScheme } of LOOKS) {
    const page = await browser.newPage({ viewport, colorScheme });
    const say = (what) => wrong.push(`${file} (${name}): ${what}`);
    page.on('console', (message) => say(`the console says: ${message.text()}`));
    page.on('pageerror', (error) => say(`a script fails: ${error}`));
    page.on('request', (request) => request.url().startsWith('file:') || say(`it asks for ${request.url()}`));
    await page.goto(`file://${file}`);
    await look(page, say);
    await type(page, say);
    await page.close();
  }
}
await browser.close();
console.log(wrong.join('\n'));
process.exit(wrong.length ? 1 : 0);

// What axe finds; what is wider than the screen; links that lead nowhere.
async function look(page, say) {
  await page.evaluate(axe);
  const found = await page.evaluate((values) => window.axe.run(document, { runOnly: { type: 'tag', values } }), RULES);
  if (found.passes.length < 10) say(`axe looked at too little: ${found.passes.length} rules apply`);
  for (const violation of found.violations) say(`axe: ${violation.id}: ${violation.nodes[0].html.slice(0, 160)}`);
  const wide = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
  if (wide > 0) say(`the page is ${wide} pixels wider than the screen`);
  const dead = await page.evaluate(() =>
    [...document.querySelectorAll('a[href^="#"]')]
      .map((link) => decodeURIComponent(link.getAttribute('href').slice(1)))
      .filter((id) => !document.getElementById(id)),
  );
  for (const id of dead) say(`a link leads to #${id}, which is not there`);
}

// Everything that can be operated is reached by Tab, can be seen to be, and
// what folds opens by Enter.
async function type(page, say) {
  const all = await page.evaluate(() => {
    const seen = [...document.querySelectorAll('a[href], summary, button, [tabindex="0"]')].filter((one) =>
      one.checkVisibility(),
    );
    seen.forEach((one, at) => one.setAttribute('data-at', at));
    return seen.length;
  });
  const reached = new Set();
  for (let step = 0; step < all + 2; step++) {
    await page.keyboard.press('Tab');
    const on = await page.evaluate(() => {
      const one = document.activeElement;
      const style = getComputedStyle(one);
      const isSeen = (style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) > 0) || style.boxShadow !== 'none';
      return { at: one.getAttribute('data-at'), isSeen, folds: one.tagName === 'SUMMARY', html: one.outerHTML.slice(0, 100) };
    });
    if (on.at === null || reached.has(on.at)) continue;
    reached.add(on.at);
    if (!on.isSeen) say(`the focus cannot be seen on ${on.html}`);
    if (on.folds) {
      const isOpen = () => page.evaluate(() => document.activeElement.parentElement.open);
      const before = await isOpen();
      await page.keyboard.press('Enter');
      if ((await isOpen()) === before) say(`Enter does not open ${on.html}`);
      await page.keyboard.press('Enter');
    }
  }
  if (reached.size !== all) say(`Tab reaches ${reached.size} of ${all} things`);
}
