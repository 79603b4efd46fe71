"""Is the language of short requests told rightly, and what is left unknown?

    python evidence/accuracy/languages.py ../shared/real

Eight languages, eight requests each, written by us for this; then English ones of others. All are
whole sentences to a help desk, so that mixed, dialectal and misspelled ones stay untested.
"""

from __future__ import annotations

import csv
import json
import sys
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from tuneworthy.measure.sample import languages

OURS = {
    "en": "My card was declined this morning.|How do I change my password?|Where is my parcel?"
    "|Please cancel my contract at the end of the month.|I was charged twice for the same order."
    "|Can I pay in three parts?|The app closes when I open a picture.|Thanks, that worked.",
    "de": "Meine Karte wurde heute Morgen abgelehnt.|Wie ändere ich mein Passwort?"
    "|Wo ist mein Paket?|Bitte kündigen Sie meinen Vertrag zum Monatsende."
    "|Dieselbe Bestellung wurde mir zweimal berechnet.|Kann ich in drei Raten zahlen?"
    "|Die App schließt sich, wenn ich ein Bild öffne.|Danke, das hat geklappt.",
    "fr": "Ma carte a été refusée ce matin.|Comment changer mon mot de passe ?|Où est mon colis ?"
    "|Veuillez résilier mon contrat à la fin du mois.|La même commande m'a été facturée deux fois."
    "|Puis-je payer en trois fois ?|L'application se ferme quand j'ouvre une image."
    "|Merci, ça a marché.",
    "es": "Mi tarjeta fue rechazada esta mañana.|¿Cómo cambio mi contraseña?"
    "|¿Dónde está mi paquete?|Por favor, cancelen mi contrato a final de mes."
    "|Me han cobrado dos veces el mismo pedido."
    "|¿Puedo pagar en tres plazos?|La aplicación se cierra cuando abro una imagen."
    "|Gracias, ha funcionado.",
    "pt": "O meu cartão foi recusado esta manhã.|Como mudo a minha senha?"
    "|Onde está a minha encomenda?|Por favor, cancelem o meu contrato no fim do mês."
    "|O mesmo pedido foi cobrado duas vezes."
    "|Posso pagar em três vezes?|A aplicação fecha quando abro uma imagem.|Obrigado, funcionou.",
    "it": "La mia carta è stata rifiutata stamattina.|Come cambio la mia password?"
    "|Dov'è il mio pacco?|Vi prego di disdire il mio contratto a fine mese."
    "|Lo stesso ordine mi è stato addebitato due volte.|Posso pagare in tre rate?"
    "|L'app si chiude quando apro un'immagine.|Grazie, ha funzionato.",
    "nl": "Mijn kaart werd vanmorgen geweigerd.|Hoe wijzig ik mijn wachtwoord?|Waar is mijn pakket?"
    "|Gelieve mijn contract aan het einde van de maand op te zeggen."
    "|Dezelfde bestelling is twee keer in rekening gebracht.|Kan ik in drie keer betalen?"
    "|De app sluit als ik een foto open.|Bedankt, dat werkte.",
    "pl": "Moja karta została dziś rano odrzucona.|Jak zmienić hasło?|Gdzie jest moja paczka?"
    "|Proszę rozwiązać moją umowę z końcem miesiąca.|To samo zamówienie policzono mi dwa razy."
    "|Czy mogę zapłacić w trzech ratach?|Aplikacja zamyka się, gdy otwieram zdjęcie."
    "|Dziękuję, zadziałało.",
}


def row(name: str, right: str, texts: Iterable[str]) -> str:
    told = Counter(code or "unknown" for code in languages([*texts]) or ())
    wrong = {
        code: n for code, n in sorted(told.items()) if code not in (right, "unknown")
    }
    others = ", ".join(f"{n} {code}" for code, n in wrong.items()) or "none"
    return f"| {name} | {told.total()} | {told[right]} | {told['unknown']} | {others} |"


def main(real: Path) -> None:
    print(
        "| requests | n | right | unknown | another language |\n|---|---:|---:|---:|---|"
    )
    for code, texts in OURS.items():
        print(row(code, code, texts.split("|")))
    with (real / "banking77" / "test.csv").open(encoding="utf-8", newline="") as file:
        print(
            row(
                "Banking77, test", "en", [each["text"] for each in csv.DictReader(file)]
            )
        )
    clinc = json.loads(
        (real / "clinc_oos" / "data_oos_plus.json").read_text(encoding="utf-8")
    )
    print(row("CLINC150, test", "en", [text for text, _ in clinc["test"]]))
    with (real / "sql_eval" / "questions_gen_postgres.csv").open(
        encoding="utf-8"
    ) as file:
        print(
            row("SQL", "no language", [each["query"] for each in csv.DictReader(file)])
        )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
