// What the status page does with scripts: blocks are copied, and the page keeps itself current. It works without.
"use strict";
(() => {
  const interval = 15000;

  // Blocks can be selected by hand, so the buttons are shown only here.
  const showButtons = (root) => {
    for (const button of root.querySelectorAll("button[data-copy]")) button.hidden = false;
  };

  const copy = async (text, block) => {
    if (window.isSecureContext && navigator.clipboard) return navigator.clipboard.writeText(text);
    getSelection().selectAllChildren(block); // over plain HTTP there is no clipboard
    if (!document.execCommand("copy")) throw new Error("not copied");
  };

  document.addEventListener("click", async (event) => {
    const button = event.target.closest("button[data-copy]");
    if (!button) return;
    const block = document.getElementById(button.dataset.copy);
    try {
      await copy(block.textContent, block);
      button.textContent = "Copied";
    } catch {
      getSelection().selectAllChildren(block);
      button.textContent = "Selected: copy it by hand";
    }
    setTimeout(() => { button.textContent = "Copy"; }, 3000);
  });

  const parts = (root) => [...root.querySelectorAll("main [data-part]")];

  // Times move by themselves: a part that differs only in them is not replaced.
  const withoutTimes = (part) => {
    const copied = part.cloneNode(true);
    for (const time of copied.querySelectorAll("time")) time.replaceWith("");
    for (const details of copied.querySelectorAll("details")) details.removeAttribute("open");
    for (const button of copied.querySelectorAll("button[data-copy]")) {
      button.hidden = true;
      button.textContent = "Copy";
    }
    return copied.innerHTML;
  };

  // What somebody reads, fills in or is about to decide stays as it is: the pointer would be on another row.
  const isInUse = (part) => {
    const selection = getSelection();
    const selected = selection && !selection.isCollapsed &&
      (part.contains(selection.anchorNode) || part.contains(selection.focusNode));
    return selected || part.querySelector("details[open], input:focus, select:focus, form:focus-within, form:hover");
  };

  // What has the focus is found again by what it is, never by its place: there may be somebody else's now.
  const keyOf = (element) => JSON.stringify([element.localName, element.getAttribute("href"), element.dataset.copy,
    element.localName === "summary" ? element.textContent : element.id]);
  const focusOf = (part) => (part.contains(document.activeElement) ? keyOf(document.activeElement) : null);
  const focusOn = (part, key) => [...part.querySelectorAll("a, button, summary, [tabindex]")]
    .find((element) => keyOf(element) === key)?.focus({ preventScroll: true });

  const update = (part, fresh) => {
    if (withoutTimes(part) === withoutTimes(fresh)) {
      const times = fresh.querySelectorAll("time");
      part.querySelectorAll("time").forEach((time, i) => {
        time.textContent = times[i].textContent;
        time.title = times[i].title;
        time.dateTime = times[i].dateTime;
      });
      return;
    }
    if (isInUse(part)) return; // next time
    const focused = focusOf(part);
    part.className = fresh.className;
    part.replaceChildren(...document.importNode(fresh, true).childNodes);
    showButtons(part);
    if (focused) focusOn(part, focused);
  };

  const merge = (fresh) => {
    const now = new Map(parts(document).map((part) => [part.dataset.part, part]));
    let last = null;
    for (const part of parts(fresh)) {
      const old = now.get(part.dataset.part);
      now.delete(part.dataset.part);
      if (old) {
        update(old, part);
        last = old;
        continue;
      }
      const added = document.importNode(part, true);
      if (last) last.after(added);
      else document.querySelector("main").prepend(added);
      showButtons(added);
      last = added;
    }
    for (const gone of now.values()) if (!isInUse(gone)) gone.remove();
    document.title = fresh.title;
  };

  // What is said while the bridge does not answer; a proxy in front of it may.
  const age = document.querySelector(".age");
  const clock = () => `${new Date().toISOString().slice(0, 19).replace("T", " ")} UTC`;
  let asOf = clock();

  const refresh = async () => {
    const answer = await fetch(location.href, {
      headers: { "X-Live-Refresh": "1" }, cache: "no-store", signal: AbortSignal.timeout(30000),
    });
    if (!answer.ok) throw new Error(`answered ${answer.status}`);
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
    if (fresh.querySelector("main[data-live]")) merge(fresh);
    else location.reload(); // the sign-in is over
    asOf = clock();
    age.textContent = "";
  };

  const keepCurrent = () => setTimeout(async () => {
    try {
      if (!document.hidden) await refresh();
    } catch {
      age.textContent = `The bridge does not answer now. What is shown is as of ${asOf}.`;
    }
    keepCurrent();
  }, interval);

  showButtons(document);
  if (document.querySelector("main[data-live]")) keepCurrent();
})();
