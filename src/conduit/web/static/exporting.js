// The picture on show as a file: SVG as text, PNG through the browser's own painting of that SVG.
"use strict";

globalThis.Conduit ??= {};

Conduit.exporting = (() => {
  const escaped = (text) => String(text).replace(/[&<>"]/g, (each) => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" })[each])
    .replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f]/g, "\ufffd"); // XML has no way to say these
  const short = (number) => String(Math.round(number * 100) / 100);

  // `picture`: {width, height, ground, title, letters (pixels), boxes: [{x, y, width, height, fill, ink, label, title, faded}]}.
  function svgOf({ width, height, ground, title, boxes, letters = 12 }) {
    const lines = boxes.map((box) => `<g${box.faded ? ' opacity="0.3"' : ""}><title>${escaped(box.title)}</title>`
      + `<rect x="${short(box.x)}" y="${short(box.y)}" width="${short(box.width)}" height="${short(box.height)}" style="fill:${escaped(box.fill)}"/>`
      + (box.label ? `<text x="${short(box.x + 4)}" y="${short(box.y + box.height / 2 + letters / 3)}" fill="${escaped(box.ink)}">${escaped(box.label)}</text>` : "") + "</g>");
    const text = `<svg xmlns="http://www.w3.org/2000/svg" width="${short(width)}" height="${short(height)}" viewBox="0 0 ${short(width)} ${short(height)}" font-family="system-ui, sans-serif" font-size="${letters}">`
      + `<title>${escaped(title)}</title><rect width="100%" height="100%" fill="${escaped(ground)}"/>\n${lines.join("\n")}\n</svg>\n`;
    return { text, width, height };
  }

  function save(address, name) {
    const link = document.createElement("a");
    link.href = address; link.download = name;
    link.click();
  }

  function saveSvg(picture, name) { if (picture) save(URL.createObjectURL(new Blob([picture.text], { type: "image/svg+xml" })), name); }

  // Twice the pixels, as long as the browser can make so large a picture.
  async function savePng(picture, name) {
    if (!picture) return;
    const image = new Image();
    image.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(picture.text)}`;
    await image.decode();
    const scale = Math.min(2, 16000 / picture.height, 16000 / picture.width);
    const canvas = document.createElement("canvas");
    canvas.width = Math.round(picture.width * scale); canvas.height = Math.round(picture.height * scale);
    canvas.getContext("2d").drawImage(image, 0, 0, canvas.width, canvas.height);
    canvas.toBlob((blob) => save(URL.createObjectURL(blob), name), "image/png");
  }

  return { svgOf, saveSvg, savePng };
})();

if (typeof module !== "undefined") module.exports = Conduit.exporting;
