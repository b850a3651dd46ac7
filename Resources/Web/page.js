// Keys of the review, and the sending of scans: what the page can't say in its templates.
(() => {
  "use strict";

  const WRITING = "input:not([type=checkbox]):not([type=file]), textarea, [contenteditable=true]";

  function nameOf(event) {
    const control = event.ctrlKey || event.metaKey;
    return (control ? "Ctrl+" : "") + event.key.toUpperCase();
  }

  // Before the views get the key, since Slicer's views know some of them too.
  document.addEventListener("keydown", (event) => {
    if (event.target.closest?.(WRITING) || event.altKey || event.repeat) return;
    const key = nameOf(event);
    if (!window.trame?.state.get("review_keys")?.includes(key)) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    window.trame.trigger("key", [key]);
  }, true);

  function tell(values) {
    Object.entries(values).forEach(([name, value]) => window.trame.state.set(name, value));
  }

  function send(role, file) {
    const limit = window.trame.state.get("upload_limit");
    if (file.size > limit) {
      tell({ message: `${file.name} is larger than ${Math.round(limit / 2 ** 20)} MB, the limit of this page.` });
      return;
    }
    const request = new XMLHttpRequest();
    request.open("POST", `upload/${role}?name=${encodeURIComponent(file.name)}`);
    request.setRequestHeader("X-SAMLandmark", "1");
    request.upload.onprogress = (event) => {
      if (event.lengthComputable) tell({ upload_percent: Math.max(1, Math.round(100 * event.loaded / event.total)) });
    };
    request.onloadend = () => {
      tell({ upload_percent: 0 });
      const lost = request.status === 0 || request.status >= 500;
      if (lost) tell({ message: `${file.name} could not be sent or kept; try again.` });
    };
    request.send(file);
  }

  document.addEventListener("click", (event) => {
    const item = event.target.closest?.("#open-template, #open-follow-up");
    if (item) document.getElementById(item.id.replace("open-", "upload-")).click();
  });

  document.addEventListener("change", (event) => {
    const input = event.target;
    if (!input.id?.startsWith("upload-") || !input.files?.length) return;
    send(input.id.replace("upload-", ""), input.files[0]);
    input.value = "";
  });
})();
