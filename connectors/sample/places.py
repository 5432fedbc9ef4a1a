"""Fifty real places in the Netherlands, Germany and France, where the sample CPO's chargers stand."""

from __future__ import annotations

from typing import Final, NamedTuple


class Place(NamedTuple):
    """A street in a city; `country` is ISO 3166-1 alpha-3, coordinates are WGS 84 degrees."""

    country: str
    city: str
    postal_code: str
    street: str
    latitude: float
    longitude: float

    @property
    def time_zone(self) -> str:
        """The IANA name."""
        return {"NLD": "Europe/Amsterdam", "DEU": "Europe/Berlin", "FRA": "Europe/Paris"}[self.country]


PLACES: Final = (
    Place("NLD", "Amsterdam", "1012 JS", "Damrak", 52.37403, 4.89690),
    Place("NLD", "Rotterdam", "3012 AR", "Coolsingel", 51.92250, 4.47917),
    Place("NLD", "Den Haag", "2511 BT", "Spui", 52.07667, 4.29861),
    Place("NLD", "Utrecht", "3511 AX", "Vredenburg", 52.09083, 5.12222),
    Place("NLD", "Eindhoven", "5611 EM", "Stationsplein", 51.44083, 5.47778),
    Place("NLD", "Groningen", "9711 LM", "Grote Markt", 53.21917, 6.56667),
    Place("NLD", "Tilburg", "5038 EA", "Spoorlaan", 51.55551, 5.09130),
    Place("NLD", "Almere", "1315 HR", "Stadhuisplein", 52.37025, 5.21413),
    Place("NLD", "Breda", "4811 ED", "Markendaalseweg", 51.58656, 4.77596),
    Place("NLD", "Nijmegen", "6511 MB", "Plein 1944", 51.84250, 5.85278),
    Place("NLD", "Arnhem", "6811 KM", "Willemsplein", 51.98000, 5.91111),
    Place("NLD", "Haarlem", "2011 RD", "Gedempte Oude Gracht", 52.38084, 4.63683),
    Place("NLD", "Enschede", "7511 JH", "Hengelosestraat", 52.21833, 6.89583),
    Place("NLD", "Amersfoort", "3811 BZ", "Stadsring", 52.15500, 5.38750),
    Place("NLD", "Zwolle", "8011 CW", "Pannekoekendijk", 52.51250, 6.09444),
    Place("NLD", "Leiden", "2312 AV", "Stationsweg", 52.15833, 4.49306),
    Place("NLD", "Maastricht", "6211 CM", "Maasboulevard", 50.84833, 5.68889),
    Place("NLD", "Delft", "2611 EE", "Phoenixstraat", 52.00667, 4.35556),
    Place("NLD", "Leeuwarden", "8911 AC", "Tesselschadestraat", 53.20139, 5.80859),
    Place("NLD", "Middelburg", "4331 LJ", "Stationsstraat", 51.50000, 3.61389),
    Place("DEU", "Berlin", "10117", "Friedrichstraße", 52.52437, 13.41053),
    Place("DEU", "Hamburg", "20095", "Mönckebergstraße", 53.55073, 9.99302),
    Place("DEU", "München", "80331", "Sonnenstraße", 48.13743, 11.57549),
    Place("DEU", "Köln", "50667", "Komödienstraße", 50.93333, 6.95000),
    Place("DEU", "Frankfurt am Main", "60313", "Zeil", 50.11552, 8.68417),
    Place("DEU", "Stuttgart", "70173", "Königstraße", 48.78232, 9.17702),
    Place("DEU", "Düsseldorf", "40212", "Königsallee", 51.22172, 6.77616),
    Place("DEU", "Leipzig", "04109", "Martin-Luther-Ring", 51.33962, 12.37129),
    Place("DEU", "Dortmund", "44137", "Hansastraße", 51.51494, 7.46600),
    Place("DEU", "Essen", "45127", "Kettwiger Straße", 51.45657, 7.01228),
    Place("DEU", "Bremen", "28195", "Am Wall", 53.07516, 8.80777),
    Place("DEU", "Dresden", "01067", "Prager Straße", 51.05089, 13.73832),
    Place("DEU", "Hannover", "30159", "Georgstraße", 52.37052, 9.73322),
    Place("DEU", "Nürnberg", "90402", "Königstraße", 49.45421, 11.07752),
    Place("DEU", "Freiburg", "79098", "Bertoldstraße", 47.99590, 7.85222),
    Place("DEU", "Kassel", "34117", "Ständeplatz", 51.31667, 9.50000),
    Place("DEU", "Aachen", "52062", "Peterstraße", 50.77664, 6.08342),
    Place("DEU", "Saarbrücken", "66111", "Bahnhofstraße", 49.23262, 7.00982),
    Place("FRA", "Paris", "75001", "Rue de Rivoli", 48.85341, 2.34880),
    Place("FRA", "Marseille", "13001", "La Canebière", 43.29695, 5.38107),
    Place("FRA", "Lyon", "69002", "Rue de la République", 45.74846, 4.84671),
    Place("FRA", "Toulouse", "31000", "Allées Jean Jaurès", 43.60426, 1.44367),
    Place("FRA", "Nice", "06000", "Avenue Jean Médecin", 43.70313, 7.26608),
    Place("FRA", "Nantes", "44000", "Cours des 50 Otages", 47.21725, -1.55336),
    Place("FRA", "Strasbourg", "67000", "Place Kléber", 48.58392, 7.74553),
    Place("FRA", "Montpellier", "34000", "Place de la Comédie", 43.61093, 3.87635),
    Place("FRA", "Bordeaux", "33000", "Cours de l'Intendance", 44.84044, -0.58050),
    Place("FRA", "Lille", "59800", "Rue Faidherbe", 50.63297, 3.05858),
    Place("FRA", "Rennes", "35000", "Place de la République", 48.11198, -1.67429),
    Place("FRA", "Reims", "51100", "Place Drouet d'Erlon", 49.26526, 4.02853),
)
