// A file to be brought in: dropped or chosen, its name shown, the upload's progress beside the button.
const zone = (event) => event.target.closest?.('[data-drop]');

const show = (drop, input) => {
  const words = drop.querySelector('[data-drop-name]');
  if (input.files.length) words.textContent = input.files[0].name;
};

for (const name of ['dragenter', 'dragover']) {
  document.addEventListener(name, (event) => {
    const drop = zone(event);
    if (!drop) return;
    event.preventDefault();
    drop.classList.add('is-over');
  });
}

document.addEventListener('dragleave', (event) => {
  const drop = zone(event);
  if (drop && !drop.contains(event.relatedTarget)) drop.classList.remove('is-over');
});

document.addEventListener('drop', (event) => {
  const drop = zone(event);
  if (!drop) return;
  event.preventDefault();
  drop.classList.remove('is-over');
  const input = drop.querySelector('input[type=file]');
  if (!event.dataTransfer.files.length) return;
  input.files = event.dataTransfer.files;
  show(drop, input);
});

document.addEventListener('change', (event) => {
  const drop = zone(event);
  if (drop && event.target.type === 'file') show(drop, event.target);
});

document.addEventListener('htmx:xhr:progress', (event) => {
  const bar = event.target.querySelector?.('[data-upload] .upload-bar, .upload-bar');
  if (!bar || !event.detail.lengthComputable) return;
  bar.hidden = false;
  bar.value = Math.round((event.detail.loaded / event.detail.total) * 100);
});
