/* global TITLE */
document.body.textContent = `${TITLE}: ${location.pathname}`;
