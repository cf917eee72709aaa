// Passkeys: what the server asks goes to the device, what the device answers goes into the form, and the form is sent.
"use strict";

const form = document.querySelector("form[data-passkey]");

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const { ask, passkey } = form.dataset;
  const words = document.getElementById("passkey-trouble");
  words.hidden = true;
  try {
    const answer = await fetch(ask, { method: "POST", headers: { "x-csrf-token": form.elements._csrf_token.value } });
    if (answer.redirected || !answer.ok) return location.reload();
    const publicKey = await answer.json();
    const made = passkey === "add"
      ? await navigator.credentials.create({ publicKey: PublicKeyCredential.parseCreationOptionsFromJSON(publicKey) })
      : await navigator.credentials.get({ publicKey: PublicKeyCredential.parseRequestOptionsFromJSON(publicKey) });
    form.elements.credential.value = JSON.stringify(made);
    form.submit();
  } catch {
    words.hidden = false;
  }
});
