//! Who owns a value that a target leads to.

use super::*;

/// A file read with the targets of `apps`.
fn aimed(apps: &[App], path: &str, text: &str) -> IndexedFile {
    let targets = crate::reconcile::aim::applying(apps, &[path]);
    let targets: Vec<_> = targets
        .into_iter()
        .flat_map(|(_, targets)| targets)
        .collect();
    let plain = file(path, text);
    IndexedFile {
        index: Arc::new(manifest::index_with(
            plain.format,
            text.as_bytes(),
            &targets,
        )),
        targets,
        ..plain
    }
}

/// The claims on `staging/a.yaml`, read with the targets of the apps `shop` and `cart`.
fn aimed_at(shop: &str, cart: &str, text: &str) -> Vec<String> {
    let with = |app: &str, targets: &str| {
        let targets = match targets {
            "" => String::new(),
            path => format!("targets: [{{file: staging/*.yaml, path: '{path}', write: tag}}]\n"),
        };
        SHOP.replace("shop", app) + &targets
    };
    let (apps, entries) = apps(&[&with("shop", shop), &with("cart", cart)]);
    let files = [aimed(&apps, "staging/a.yaml", text)];
    let claims = claim(&apps, &entries, &files);
    let owned = claims.stages.iter().filter(|(_, sites)| !sites.is_empty());
    owned
        .map(|(key, sites)| {
            let app = &apps[key.app];
            format!(
                "{}/{} {}",
                app.name,
                app.stages[key.stage].name,
                sites.len()
            )
        })
        .chain(claims.diagnostics.iter().map(ToString::to_string))
        .collect()
}

#[test]
fn marker_then_target_then_name() {
    let image = "image: ghcr.io/acme/shop:1.0.0\n";
    for (shop, cart, text, wanted) in [
        ("v", "", "v: 1.0.0\n", &["shop/staging 1"][..]),
        (
            "v",
            "w",
            "v: 1.0.0\nw: 1.0.0\n",
            &["shop/staging 1", "cart/staging 1"],
        ),
        ("", "a.newTag", "a: {newTag: 1.0.0}\n", &["cart/staging 1"]),
        (
            "v",
            "v",
            "v: 1.0.0 # tagwright: cart:tag\n",
            &["cart/staging 1"],
        ),
        ("", "", image, &["shop/staging 1"]),
        ("v", "", image, &["shop/staging 1"]),
    ] {
        assert_eq!(aimed_at(shop, cart, text), wanted, "{text}");
    }
    let named =
        "image: ghcr.io/acme/shop\nspec: {images: [{name: ghcr.io/acme/shop, newTag: 1}]}\n";
    let flux = format!("apiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\n{named}");
    let taken = aimed_at("", "spec.images[0].newTag", &flux);
    assert_eq!(taken, ["shop/staging 1", "cart/staging 1"]);
}

#[test]
fn a_value_that_two_apps_aim_at_is_nobodys() {
    let found = aimed_at("v", "v", "v: 1.0.0\n");
    assert_eq!(found.len(), 1, "{found:?}");
    let wanted = "staging/a.yaml:1:4: warning: targets of `shop` and `cart` claim this value; nobody \
                  writes it";
    assert!(found[0].starts_with(wanted), "{found:?}");
}

#[test]
fn a_target_that_several_stages_cover_is_contested() {
    let both = SHOP.replace("[production/**]", "[staging/a.yaml]");
    let app = format!("{both}targets: [{{file: staging/*.yaml, path: v, write: tag}}]\n");
    let (apps, entries) = apps(&[&app]);
    let files = [aimed(&apps, "staging/a.yaml", "v: 1.0.0\n")];
    let claims = claim(&apps, &entries, &files);
    let message = &claims.diagnostics[0].message;
    assert!(message.contains("claimed by shop/staging"), "{message}");
}
