// The crew: many requests at once show which worker processes answer. And a word before an upload that is too large.
'use strict';

const crew = document.querySelector('[data-crew]');
if (crew) {
  const hands = crew.querySelector('[data-crew-hands]');
  const note = crew.querySelector('[data-crew-note]');
  const colours = new Map();
  const colour = (pid) => {
    if (!colours.has(pid)) colours.set(pid, colours.size % 8);
    return 'c' + colours.get(pid);
  };
  const add = (text, name) => {
    const li = document.createElement('li');
    li.textContent = text;
    li.className = name;
    hands.append(li);
  };
  const ask = async () => {
    const answer = await fetch('/api/worker?ms=60', { cache: 'no-store' });
    if (!answer.ok) throw new Error(String(answer.status));
    return answer.json();
  };
  const call = async (n) => {
    const started = performance.now();
    const pids = new Set();
    await Promise.all(Array.from({ length: n }, () => ask().then(
      (facts) => { pids.add(facts.pid); add(facts.pid, colour(facts.pid)); },
      (error) => add(error.message, 'lost'))));
    note.textContent = `${pids.size} ${pids.size === 1 ? 'worker' : 'workers'} answered ${n} requests in ${Math.round(performance.now() - started)} ms.`;
  };
  crew.querySelector('[data-crew-call]').addEventListener('click', async (event) => {
    event.target.disabled = true;
    hands.replaceChildren();
    await call(16);
    event.target.disabled = false;
  });
  const sink = crew.querySelector('[data-crew-sink]');
  sink?.addEventListener('click', async () => {
    sink.disabled = true;
    hands.replaceChildren();
    const status = await fetch('/api/sink', { method: 'POST', body: new URLSearchParams({ token: sink.dataset.crewSink }) })
      .then((answer) => answer.status, () => 'cut');
    add(`lost: ${status}`, 'lost');
    await call(8);
    note.textContent += ' The worker that was sunk cost its own request; another took its place.';
    sink.disabled = false;
  });
}

for (const input of document.querySelectorAll('input[type=file][data-max]')) {
  input.addEventListener('change', () => {
    const large = [...input.files].some((file) => file.size > Number(input.dataset.max));
    input.setCustomValidity(large ? 'This picture is too large.' : '');
    input.reportValidity();
  });
}
